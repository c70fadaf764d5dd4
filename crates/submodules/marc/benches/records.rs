//! Reading MARC records from XML, and what an aleph answer takes from them.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edeposit_marc::{Record, Records};

const SAMPLES: [(&str, &str); 3] = [
    ("monograph", include_str!("../testdata/monograph_unix.xml")),
    (
        "multivolume",
        include_str!("../testdata/multivolume_lipa.xml"),
    ),
    (
        "periodical",
        include_str!("../testdata/periodical_pevnost.xml"),
    ),
];

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("marc");
    for (name, xml) in SAMPLES {
        group.throughput(Throughput::Bytes(xml.len() as u64));
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter(|| black_box(Record::from_xml(black_box(xml))));
        });
    }
    let one = SAMPLES[0].1;
    let body = one.find("<record").map_or(one, |start| &one[start..]);
    let body = body.rfind("</record>").map_or(body, |end| &body[..end + 9]);
    let many = format!("<records>{}</records>", body.repeat(200));
    assert_eq!(Records::new(&many).filter(Result::is_ok).count(), 200);
    group.throughput(Throughput::Bytes(many.len() as u64));
    group.bench_function("read 200 records", |bencher| {
        bencher.iter(|| Records::new(black_box(&many)).count());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20);
    targets = records
}
criterion_main!(benches);
