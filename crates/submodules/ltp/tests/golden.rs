//! The example of the documentation, byte for byte but for the time.

mod common;

use common::{Place, U, as_json, react, request};
use serde_json::json;

/// Also defect 2: it is where the archive looks for it, and not below the working directory.
#[tokio::test]
async fn the_example() {
    let place = Place::new();
    let answer = react(&place.ltp, &as_json(&request())).await.unwrap();
    assert_eq!(answer, json!(true));
    let read = |name: &str| std::fs::read_to_string(place.package().join(name)).unwrap();
    let mods = read("metadata/mods_volume.xml");
    assert_eq!(mods.len(), 2209, "{mods}");
    let publication = place.package().join(format!("original/oc_{U}.epub"));
    assert_eq!(
        std::fs::read(publication).unwrap(),
        b"PK\x03\x04\x0a\0\0\0\0\0"
    );
    assert_eq!(
        read(&format!("MD5_{U}.md5")),
        format!(
            "0a0495b866f3c8f109a518502d347129 /metadata/mods_volume.xml\n\
             42adb0e9a46b34d3b9ad1b170fc93d29 /original/oc_{U}.epub\n"
        )
    );
    let info = read(&format!("info_{U}.xml"));
    let (start, end) = ("<created>", "</created>");
    let from = info.find(start).unwrap() + start.len();
    let to = info.find(end).unwrap();
    let created = &info[from..to];
    assert_eq!(created.len(), "2024-11-22T15:39:41".len(), "{created}");
    assert_eq!(
        info.replace(created, "2024-11-22T15:39:41"),
        include_str!("../testdata/info.xml")
    );
}
