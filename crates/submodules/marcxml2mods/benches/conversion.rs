//! Converting MARC records to MODS, XML to XML.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edeposit_marcxml2mods::{CaseSelection, Settings, convert};

const SAMPLES: [(&str, &str); 4] = [
    ("monograph", include_str!("../testdata/monograph_unix.xml")),
    (
        "languages",
        include_str!("../testdata/monograph_languages.xml"),
    ),
    (
        "multivolume",
        include_str!("../testdata/multivolume_lipa.xml"),
    ),
    (
        "periodical",
        include_str!("../testdata/periodical_pevnost.xml"),
    ),
];

fn conversion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("marcxml2mods");
    let full = Settings {
        case_selection: CaseSelection::Full,
        ..Settings::default()
    };
    for (name, xml) in SAMPLES {
        group.throughput(Throughput::Elements(1));
        for (how, settings) in [("monograph", &Settings::default()), ("full", &full)] {
            group.bench_function(format!("{name} as {how}"), |bencher| {
                bencher.iter(|| {
                    convert(
                        black_box(xml),
                        Some("uuid"),
                        Some("http://a.example/"),
                        settings,
                    )
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20);
    targets = conversion
}
criterion_main!(benches);
