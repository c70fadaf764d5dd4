//! An import whose messages are taken or refused one by one, as a broker would on purpose only.

use std::cell::{Cell, RefCell};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use edeposit_ftp::{Settings, UserName};
use edeposit_ftp_monitor::messages::{ImportRequest, Item};
use edeposit_ftp_monitor::trigger::Trigger;
use edeposit_ftp_monitor::{Outcome, Publisher, import};
use edeposit_settings::{Declared, Sources};
use tempfile::TempDir;

/// Takes so many messages, and refuses the others.
struct Broker {
    taken: RefCell<Vec<ImportRequest>>,
    room: Cell<usize>,
}

impl Broker {
    fn new(room: usize) -> Self {
        Self {
            taken: RefCell::default(),
            room: Cell::new(room),
        }
    }

    /// The names of all books that were taken.
    fn books(&self) -> Vec<String> {
        let taken = self.taken.borrow();
        let items = taken.iter().flat_map(|message| &message.requests);
        items
            .map(|item| match item {
                Item::EbookFile(book) => book.filename.rsplit('/').next().unwrap().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

impl Publisher for Broker {
    fn is_ready(&self) -> bool {
        true
    }

    fn publish(&self, body: Vec<u8>) -> Result<(), String> {
        let left = self.room.get().checked_sub(1).ok_or("refused")?;
        self.room.set(left);
        let message = edeposit_serializers::from_slice(&body).map_err(|error| error.to_string())?;
        self.taken.borrow_mut().push(message);
        Ok(())
    }
}

struct World {
    directory: TempDir,
    settings: Settings,
    trigger: Trigger,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.data_path = directory.path().join("home");
        settings.state_path = directory.path().join("state");
        settings.login_file = directory.path().join("ftpd.passwd");
        settings.max_message_size = 10_000;
        fs::create_dir_all(settings.data_path.join("argo")).unwrap();
        fs::write(&settings.login_file, "argo:x:2000:2000::/:/bin/false\n").unwrap();
        let trigger = Trigger::home(UserName::new("argo").unwrap());
        Self {
            directory,
            settings,
            trigger,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.data_path.join("argo").join(name)
    }

    fn import(&self, broker: &Broker) -> Outcome {
        import(&self.settings, broker, &self.trigger).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

const LOCK: &str = "delete_me_to_import_files.txt";

/// What was confirmed is deleted and told in the report of the import that gets to the end; nothing is sent twice.
#[test]
fn the_second_of_three_messages_is_refused() {
    let world = World::new();
    for number in 0..10 {
        fs::write(world.path(&format!("{number}.epub")), vec![b'x'; 2000]).unwrap();
    }
    fs::write(world.path("bad.csv"), "nonsense").unwrap();
    let broker = Broker::new(1);
    assert_eq!(world.import(&broker), Outcome::Later("refused".to_owned()));
    let sent = broker.books();
    assert!((1..5).contains(&sent.len()), "{sent:?}");
    let left = world.names();
    assert_eq!(left.len(), 11 - sent.len());
    assert!(!left.iter().any(|name| name == LOCK || sent.contains(name)));
    let mode = fs::metadata(world.path("9.epub"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o664);
    broker.room.set(10);
    assert_eq!(world.import(&broker), Outcome::Done);
    let expected: Vec<_> = (0..10).map(|number| format!("{number}.epub")).collect();
    assert_eq!(broker.books(), expected);
    assert_eq!(
        world.names(),
        ["bad.csv", LOCK, "error.log.txt", "import.log.txt"]
    );
    let report = fs::read_to_string(world.path("import.log.txt")).unwrap();
    assert_eq!(
        report.matches("successfully imported.").count(),
        10,
        "{report}"
    );
    assert_eq!(report.matches("Can't parse").count(), 1, "{report}");
    // the lock file is there
    assert_eq!(world.import(&broker), Outcome::Done);
    assert_eq!(broker.books().len(), 10);
}

/// Half-written reports of a killed process are removed, whatever else there is.
#[test]
fn leftovers_of_our_own() {
    let world = World::new();
    fs::write(world.path(".edeposit-0123456789abcdef"), "half").unwrap();
    fs::create_dir_all(world.path("a/b/c")).unwrap();
    symlink("/etc", world.path("a/link")).unwrap();
    fs::set_permissions(world.path("a/b"), Permissions::from_mode(0o555)).unwrap();
    let broker = Broker::new(9);
    assert_eq!(world.import(&broker), Outcome::Done);
    assert_eq!(
        world.names(),
        ["a", LOCK, "error.log.txt", "import.log.txt"]
    );
    assert!(!world.path("a/b").exists() && world.path("a/link").is_symlink());
    assert_eq!(broker.taken.borrow().len(), 1);
    drop(world.directory);
}

/// Journals of users who are gone, and directories that are gone, keep nothing from going on.
#[test]
fn nobody_is_there() {
    let mut world = World::new();
    let broker = Broker::new(9);
    fs::write(&world.settings.login_file, "").unwrap();
    assert_eq!(world.import(&broker), Outcome::Done);
    world.trigger.directory = PathBuf::from("no/such");
    fs::write(
        &world.settings.login_file,
        "argo:x:2000:2000::/:/bin/false\n",
    )
    .unwrap();
    assert_eq!(world.import(&broker), Outcome::Done);
    assert!(broker.taken.borrow().is_empty() && world.names().is_empty());
}
