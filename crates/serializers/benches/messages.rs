//! Reading and writing messages: a small request, a list of records as a search answers it, a file in base64. Beside each
//! the same with plain serde_json, which has no convention to keep.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use edeposit_serializers::{Base64, from_slice, to_vec};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Deserialize, Serialize)]
struct Query {
    text: String,
    base: String,
    limit: Option<u32>,
}

#[derive(Deserialize, Serialize)]
struct Found {
    records: Vec<Book>,
}

#[derive(Deserialize, Serialize)]
struct Book {
    title: String,
    authors: Vec<Author>,
    isbn: Vec<String>,
    year: String,
    pages: u32,
}

#[derive(Deserialize, Serialize)]
struct Author {
    first_name: String,
    last_name: String,
}

#[derive(Deserialize, Serialize)]
struct File {
    name: String,
    content: Base64,
}

fn found() -> Found {
    let book = |number: u32| Book {
        title: format!("Žlutá včela na rozhraní, díl {number}"),
        authors: (0..3)
            .map(|author| Author {
                first_name: format!("Jan {author}"),
                last_name: "Příhoda".to_owned(),
            })
            .collect(),
        isbn: vec!["80-251-0225-4".to_owned(), "978-80-251-0225-6".to_owned()],
        year: "2004".to_owned(),
        pages: number,
    };
    Found {
        records: (0..100).map(book).collect(),
    }
}

/// Reads and writes one message, by the convention and plainly.
fn both_ways<T: Serialize + DeserializeOwned>(criterion: &mut Criterion, name: &str, message: &T) {
    let (Ok(json), Ok(plain)) = (to_vec(message), serde_json::to_vec(message)) else {
        panic!("{name} cannot be written");
    };
    let group = |criterion: &mut Criterion, what: &str, json: &[u8], run: &mut dyn FnMut()| {
        let mut group: BenchmarkGroup<'_, WallTime> = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(what, |bencher| bencher.iter(&mut *run));
        group.finish();
    };
    group(criterion, "decode", &json, &mut || {
        drop(black_box(from_slice::<T>(black_box(&json))));
    });
    group(criterion, "decode, serde_json", &plain, &mut || {
        drop(black_box(serde_json::from_slice::<T>(black_box(&plain))));
    });
    group(criterion, "encode", &json, &mut || {
        drop(black_box(to_vec(black_box(message))));
    });
    group(criterion, "encode, serde_json", &plain, &mut || {
        drop(black_box(serde_json::to_vec(black_box(message))));
    });
}

fn messages(criterion: &mut Criterion) {
    let query = Query {
        text: "Příliš žluťoučký kůň úpěl ďábelské ódy".to_owned(),
        base: "nkc".to_owned(),
        limit: None,
    };
    both_ways(criterion, "query", &query);
    both_ways(criterion, "100 books", &found());
    let file = File {
        name: "kniha.epub".to_owned(),
        content: Base64((0..5_000_000_u32).map(|n| (n % 251) as u8).collect()),
    };
    both_ways(criterion, "file of 5 MB", &file);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20);
    targets = messages
}
criterion_main!(benches);
