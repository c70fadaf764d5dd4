//! What a book that has taken over its converter cannot do: a script in place of the converter, in the real sandbox.
//! Needs the Debian package bubblewrap.

mod common;

use std::fs;
use std::time::Duration;

use common::{World, book};
use edeposit_calibre::Sandbox;

/// Writes a book as the converter does.
const WRITE: &str = r#"echo "EPUB output written to $2"; echo book >"$2""#;

fn world(script: &str) -> World {
    World::with_script(script, |settings| {
        settings.sandbox = Sandbox::Required;
        settings.timeout = Duration::from_secs(2);
    })
}

/// Processes of this machine with this argument: a number that no other test has.
fn with_argument(argument: &str) -> usize {
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    lines
        .filter(|line| line.split('\0').any(|word| word == argument))
        .count()
}

/// Defect 7, whatever the format: of this machine it sees the programs, and has no network.
#[tokio::test]
async fn it_reads_nothing_but_programs_and_its_book() {
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "TOPSECRET").unwrap();
    let world = world(&format!(
        r#"cat {} /etc/passwd; ls -d /root /home /var /run /sys /etc/[!f]*
        [ $(ls /proc | grep -c '^[1-9]') -lt 10 ] && echo "few processes"
        echo "interfaces: $(grep : /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\n' ' ')"
        echo "capabilities: $(grep Cap /proc/self/status | cut -f2 | sort -u)"
        cat "$1"; {WRITE}"#,
        secret.display()
    ));
    let response = world.convert("txt", "epub", b"the book\n").await.unwrap();
    assert_eq!(
        response.protocol,
        "few processes\ninterfaces: lo \ncapabilities: 0000000000000000\nthe book\n\
         EPUB output written to document.txt.epub\n"
    );
}

/// Not even for root: it would have all capabilities in its namespaces.
#[tokio::test]
async fn it_writes_nowhere_but_in_its_directory() {
    let name = format!("edeposit-escaped-{}", std::process::id());
    let world = world(&format!(
        r#"try() {{ touch "$1/{name}" && echo "wrote to $1"; }}
        for dir in / /usr /usr/bin /dev /etc /proc /sys "$(dirname "$0")"; do try $dir; done
        mount -o remount,rw,bind /usr && try /usr
        mount -t tmpfs none /usr && try /usr
        unshare --user --map-root-user --mount sh -c "mount -o remount,rw,bind /usr && touch /usr/{name} && echo new namespace"
        echo x >"$HOME/x" && echo "wrote home"
        head -c 100000000 /dev/zero >/dev/shm/large || echo "full"
        {WRITE}"#
    ));
    let result = world.convert("txt", "epub", b"x").await;
    for dir in ["/usr", "/usr/bin", "/dev", "/etc"] {
        assert!(!std::path::Path::new(dir).join(&name).exists());
    }
    let log = result.unwrap().protocol;
    assert_eq!(
        log,
        "wrote home\nfull\nEPUB output written to document.txt.epub\n"
    );
}

/// A converter that ignores signals, in sessions of its own, with many children: when the conversion is over, all are.
#[tokio::test]
async fn nothing_outlives_a_conversion_whatever_it_does() {
    let escape = |number: &str| {
        format!(
            r#"trap '' TERM INT HUP; n=0; while [ $n -lt 50 ]; do
            (trap '' TERM; setsid -f env -i sleep {number}) & n=$((n + 1)); done; sleep 0.3"#
        )
    };
    let ended = world(&format!("{}; {WRITE}", escape("3141592")));
    let response = ended.convert("txt", "epub", b"x").await.unwrap();
    assert_eq!(book(&response), b"book\n");
    assert_eq!(with_argument("3141592"), 0);

    let hanging = world(&format!(
        "{}; echo started; sleep 2718281",
        escape("2718281")
    ));
    let error = hanging.convert("txt", "epub", b"x").await.unwrap_err();
    assert_eq!(
        error.message,
        "Conversion failed:\nkilled after 2 s (TIMEOUT)\nstarted"
    );
    assert_eq!(with_argument("2718281"), 0);
    assert_eq!((ended.leftovers(), hanging.leftovers()), (0, 0));
}

/// The output is a link to what only the daemon sees, or has one in it.
#[tokio::test]
async fn a_link_in_place_of_the_book_leads_nowhere() {
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = elsewhere.path().display();
    let file = format!("{dir}/secret");
    fs::write(&file, "TOPSECRET").unwrap();
    for (format, make) in [
        ("epub", format!(r#"ln -s {file} "$2""#)),
        ("oeb", format!(r#"ln -s {dir} "$2""#)),
        ("oeb", format!(r#"ln -s {file} "$2""#)),
        ("oeb", format!(r#"mkdir "$2"; ln -s {dir} "$2/dir""#)),
        ("oeb", format!(r#"mkdir "$2"; ln -s {file} "$2/file""#)),
    ] {
        let name = format.to_uppercase();
        let world = world(&format!(r#"{make}; echo "{name} output written to $2""#));
        let error = world.convert("txt", format, b"x").await.unwrap_err();
        assert_eq!(error.name, "UserWarning");
        assert!(error.message.contains("cannot be read"), "{error}");
    }
}

/// Directories nested deeper than a path may be long, and without permissions.
#[tokio::test]
async fn whatever_it_makes_is_removed() {
    let world = world(&format!(
        r#"mkdir locked locked/inner; touch locked/inner/file; chmod 0 locked/inner locked
        ln -s / root; mkfifo pipe
        top="$PWD"; n=0; while [ $n -lt 300 ]; do mkdir directory-with-a-long-name && cd -P directory-with-a-long-name; n=$((n + 1)); done
        cd "$top"; {WRITE}"#
    ));
    // As root all can be counted; as another user what is locked is too much.
    let _ = world.convert("txt", "epub", b"x").await;
    assert_eq!(world.leftovers(), 0);
}
