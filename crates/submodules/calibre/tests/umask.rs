//! Defect 5: whatever the umask of the process, nobody else can read or write what belongs to a conversion.
//!
//! In a file of its own, as a umask is the whole process's.

mod common;

use common::World;
use rustix::fs::Mode;

#[tokio::test]
async fn nothing_is_open_to_others() {
    let before = rustix::process::umask(Mode::empty());
    let world = World::with_script(
        r#"echo "EPUB output written to $2"; echo book >"$2"; umask; find "$PWD/.." -printf '%m %P\n'"#,
        |_| {},
    );
    let result = world.convert("txt", "epub", b"x").await;
    rustix::process::umask(before);
    let log = result.unwrap().protocol;
    assert!(log.contains("0077\n700 \n"), "{log}");
    for (name, mode) in [
        ("work", "700"),
        ("work/home", "700"),
        ("work/tmp", "700"),
        ("work/document.txt", "600"),
        ("work/document.txt.epub", "600"),
        ("stdout", "600"),
        ("stderr", "600"),
    ] {
        assert!(log.contains(&format!("\n{mode} {name}\n")), "{name}: {log}");
    }
}
