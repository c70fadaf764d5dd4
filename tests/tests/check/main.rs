//! `check`, and what `start` and `restart` make of it: what could not come up is not begun, and what runs is left alone.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result};
use edeposit_amqp::ExchangeKind;
use edeposit_amqp::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_testkit::xserver::XServer;
use edeposit_testkit::{Outcome, RabbitNode, Schema, wait_until};
use edeposit_tests::{PATIENCE, World, catalogue};
use serde_json::{Value, json};

const SECRET: &str = "TopSecret";

/// A daemon, and what can be wrong with its settings.
struct Kind {
    program: &'static str,
    /// As in `RABBITMQ_<X>_...`.
    x: &'static str,
    /// Its own settings file.
    file: &'static str,
    /// Settings that do, in this home.
    good: fn(&Path) -> Value,
    /// A setting that cannot be used, and its value.
    broken: (&'static str, &'static str),
    /// A setting that names a directory or file, which has to be there.
    place: Option<&'static str>,
    /// It consumes a queue.
    consumes: bool,
}

const KINDS: [Kind; 8] = [
    Kind {
        program: "edeposit_amqp_alephdaemon",
        x: "ALEPH",
        file: "aleph.json",
        good: |_| json!({}),
        broken: ("ALEPH_TIMEOUT", "soon"),
        place: None,
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_antivirusd",
        x: "ANTIVIRUS",
        file: "antivirus.json",
        good: |_| json!({ "USE_CLAMD": false }),
        broken: ("MAX_JOBS", "many"),
        place: None,
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_calibredaemon",
        x: "CALIBRE",
        file: "calibre.json",
        good: |home| json!({ "TEMP_DIR": home }),
        broken: ("MAX_JOBS", "many"),
        place: Some("TEMP_DIR"),
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_downloaderd",
        x: "DOWNER",
        file: "downloader.json",
        good: |_| json!({}),
        broken: ("ALLOWED_NETWORKS", "home"),
        place: Some("CA_FILE"),
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_ftp_managerd",
        x: "FTP",
        file: "ftp.json",
        good: ftp,
        broken: ("SCAN_INTERVAL", "often"),
        place: Some("DATA_PATH"),
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_ftp_monitord",
        x: "FTP",
        file: "ftp.json",
        good: ftp,
        broken: ("EBOOK_ENCODING", "morse"),
        place: Some("DATA_PATH"),
        consumes: false,
    },
    Kind {
        program: "edeposit_amqp_ltpd",
        x: "LTP",
        file: "ltp.json",
        good: |home| json!({ "EXPORT_DIR": home }),
        broken: ("FILE_MODE", "0777"),
        place: Some("EXPORT_DIR"),
        consumes: true,
    },
    Kind {
        program: "edeposit_amqp_marcxml2modsd",
        x: "MX2MODS",
        file: "marcxml2mods.json",
        good: |_| json!({}),
        broken: ("BYTE_COMPAT", "perhaps"),
        place: None,
        consumes: true,
    },
];

/// All that the FTP daemons touch is the home itself.
fn ftp(home: &Path) -> Value {
    json!({
        "CONF_PATH": home,
        "LOG_PATH": home,
        "DATA_PATH": home,
        "STATE_PATH": home.join("ftp-state"),
        "CONF_FILE": home.join("proftpd.conf"),
        "LOG_FILE": home.join("extended.log"),
    })
}

/// One of the daemons with its virtual host. Nothing is wrong.
struct Scene {
    kind: &'static Kind,
    world: World,
    _catalogue: XServer,
    own: Value,
}

impl Scene {
    async fn new(kind: &'static Kind) -> Result<Self> {
        let schema = Schema::new("things");
        let world = World::new(kind.program, kind.x, schema, &json!({})).await?;
        let catalogue = catalogue()?;
        let home = world.daemon.home();
        for file in ["proftpd.conf", "extended.log"] {
            fs::write(home.join(file), "")?;
        }
        let mut own = (kind.good)(home);
        if kind.x == "ALEPH" {
            own["ALEPH_URL"] = catalogue.url().into();
        }
        let scene = Self {
            kind,
            world,
            _catalogue: catalogue,
            own,
        };
        scene.set(&json!({}), &json!({}))?;
        Ok(scene)
    }

    /// Writes both files: what is good, and other values over it.
    fn set(&self, amqp: &Value, own: &Value) -> Result<()> {
        let exchange = format!("RABBITMQ_{}_EXCHANGE", self.kind.x);
        let mut all = json!({ exchange: self.world.schema.exchange });
        for (name, value) in amqp.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let daemon = &self.world.daemon;
        daemon.connect_to(&self.world.vhost, self.kind.x, &all)?;
        let mut all = self.own.clone();
        for (name, value) in own.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        daemon.write_settings(self.kind.file, &all)?;
        Ok(())
    }

    /// The constant of this submodule.
    fn name(&self, ending: &str) -> String {
        format!("RABBITMQ_{}_{ending}", self.kind.x)
    }

    /// The same process is at work.
    async fn assert_at_work(&self, pid: i32, after: &str) -> Result<()> {
        let daemon = &self.world.daemon;
        assert_eq!(daemon.pid(), Some(pid), "{after}");
        let expected = match self.kind.consumes {
            true => "consuming queue 'daemon'",
            false => "watching ",
        };
        wait_until(&format!("at work after {after}"), PATIENCE, async || {
            daemon.status().is_ok_and(|status| {
                status.code == Some(0)
                    && status.stdout.contains(&format!("with pid {pid},"))
                    && status.stdout.contains(expected)
            })
        })
        .await?;
        if self.kind.consumes {
            assert!(self.world.consuming().await, "{after}");
        }
        Ok(())
    }
}

/// One that would bring the daemon its own answers.
async fn declare_odd_exchange(world: &World) -> Result<()> {
    let (connection, channel) = world.vhost.connect().await?;
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            "odd".into(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        )
        .await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

fn words(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

/// Every mistake, in every daemon: `restart` leaves the running one alone and says why, `check` says the same.
#[tokio::test]
async fn a_daemon_that_could_not_come_back_is_left_alone() -> Result<()> {
    for kind in &KINDS {
        let scene = Scene::new(kind).await?;
        let daemon = &scene.world.daemon;
        daemon.start()?.success().context(kind.program)?;
        let pid = daemon.pid().context("no pid")?;
        scene.assert_at_work(pid, "start").await?;
        declare_odd_exchange(&scene.world).await?;

        let home = daemon.home();
        let file = |name: &str| home.join("edeposit").join(name).display().to_string();
        let (broken, value) = kind.broken;
        let nowhere = home.join("nowhere").display().to_string();
        let mut mistakes = vec![
            (
                json!({}),
                json!({ broken: value }),
                vec![format!("{broken} in {}", file(kind.file)), value.to_owned()],
            ),
            (
                json!({ "RABBITMQ_TRACEBACKS": "perhaps" }),
                json!({}),
                vec![format!("RABBITMQ_TRACEBACKS in {}", file("amqp.json"))],
            ),
            (
                json!({ "RABBITMQ_USER_PASSWORD": SECRET }),
                json!({}),
                vec![
                    "refuses user 'guest'".to_owned(),
                    "RABBITMQ_USER_PASSWORD".to_owned(),
                ],
            ),
            (
                json!({ "RABBITMQ_USER_PASSWORD_FILE": nowhere }),
                json!({}),
                vec!["RABBITMQ_USER_PASSWORD_FILE".to_owned(), nowhere.clone()],
            ),
            (
                json!({ scene.name("VIRTUALHOST"): "nowhere" }),
                json!({}),
                vec!["no virtual host 'nowhere'; run: edeposit_amqp_tool --host ".to_owned()],
            ),
        ];
        let (ending, what) = match kind.consumes {
            true => ("INPUT_QUEUE", "queue"),
            false => ("EXCHANGE", "exchange"),
        };
        mistakes.push((
            json!({ scene.name(ending): "elsewhere" }),
            json!({}),
            vec![format!(
                "no {what} 'elsewhere'; run: edeposit_amqp_tool --host "
            )],
        ));
        mistakes.push((
            json!({ scene.name("EXCHANGE"): "odd" }),
            json!({}),
            vec!["exchange 'odd' is fanout, durable: ".to_owned()],
        ));
        if let Some(place) = kind.place {
            mistakes.push((
                json!({}),
                json!({ place: nowhere }),
                vec![
                    place.to_owned(),
                    nowhere,
                    "No such file or directory".to_owned(),
                ],
            ));
        }
        for (amqp, own, expected) in mistakes {
            let what = format!("{}: {amqp} {own}", kind.program);
            scene.set(&amqp, &own)?;
            let restart = daemon.restart()?;
            assert_eq!(restart.code, Some(1), "{what}: {restart:?}");
            assert!(
                restart.stderr.starts_with("the daemon cannot start: "),
                "{what}: {restart:?}"
            );
            let left = format!("The daemon that runs, with pid {pid}, was left alone.");
            assert!(restart.stderr.contains(&left), "{what}: {restart:?}");
            let check = daemon.run(&["check"])?;
            assert_eq!(check.code, Some(1), "{what}: {check:?}");
            for word in &expected {
                assert!(
                    restart.stderr.contains(word),
                    "{what}: no {word} in {restart:?}"
                );
                assert!(
                    check.stdout.contains(word),
                    "{what}: no {word} in {check:?}"
                );
            }
            let all = words(&restart) + &words(&check) + &daemon.log();
            assert!(!all.contains(SECRET), "{what}");
            scene.assert_at_work(pid, &what).await?;
        }

        scene.set(&json!({}), &json!({}))?;
        daemon.restart()?.success().context(kind.program)?;
        let second = daemon.pid().context("no pid")?;
        assert_ne!(pid, second);
        scene.assert_at_work(second, "the restart").await?;
    }
    Ok(())
}

/// A good run of every daemon's `check`, for people and for programs.
#[tokio::test]
async fn check_shows_every_value_and_all_that_is_needed() -> Result<()> {
    for kind in &KINDS {
        let scene = Scene::new(kind).await?;
        let daemon = &scene.world.daemon;
        let text = daemon.run(&["check"])?.success().context(kind.program)?;
        assert_eq!(text.stderr, "", "{}", kind.program);
        let amqp = daemon
            .home()
            .join("edeposit/amqp.json")
            .display()
            .to_string();
        for expected in [
            format!("amqp.json ({amqp})\n"),
            format!("{} (", kind.file),
            "RabbitMQ\n  ok       logged in at 127.0.0.1:".to_owned(),
            "  ok       exchange 'things': topic, durable\n".to_owned(),
            "\nthe daemon can do its work".to_owned(),
        ] {
            assert!(
                text.stdout.contains(&expected),
                "no {expected} in {}",
                text.stdout
            );
        }
        assert_eq!(
            text.stdout.contains("queue 'daemon': classic, durable"),
            kind.consumes,
            "{}",
            text.stdout
        );

        let json = daemon.run(&["check", "--json"])?.success()?;
        let json: Value = serde_json::from_str(&json.stdout)?;
        assert_eq!(json["ok"], true);
        let settings = json["settings"].as_array().context("no settings")?;
        let setting = |name: &str| {
            let found = settings.iter().find(|one| one["name"] == name);
            found.cloned().unwrap_or(Value::Null)
        };
        assert_eq!(setting("RABBITMQ_USER_PASSWORD")["value"], "***");
        assert_eq!(setting("RABBITMQ_PORT")["origin"], *amqp);
        assert_eq!(setting("RABBITMQ_HEARTBEAT")["unit"], "seconds");
        assert_eq!(setting(kind.broken.0)["file"], kind.file);
        let findings = json["findings"].as_array().context("no findings")?;
        assert!(!findings.is_empty());
        for finding in findings {
            assert!(finding["text"].is_string(), "{finding}");
            assert_ne!(finding["kind"], "failed", "{finding}");
        }
        assert_eq!(daemon.status()?.code, Some(3), "check starts nothing");
        assert!(!daemon.pid_file().exists() && !daemon.log_file().exists());
    }
    Ok(())
}

/// The value of a setting that overrides all others says so; a login in an address is hidden.
#[tokio::test]
async fn check_tells_where_a_value_comes_from() -> Result<()> {
    let mut world = World::aleph("http://me:TopSecret@127.0.0.1:9", &json!({})).await?;
    world.daemon.set_env("EDEPOSIT_ALEPH_ALEPH_TIMEOUT", "7");
    world.daemon.set_env("RABBITMQ_PREFETCH", "3");
    let check = world.daemon.run(&["check"])?.success()?;
    let line = |name: &str| {
        let found = check
            .stdout
            .lines()
            .find(|line| line.trim().starts_with(name));
        found
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        line("ALEPH_TIMEOUT"),
        "ALEPH_TIMEOUT 7 seconds environment variable EDEPOSIT_ALEPH_ALEPH_TIMEOUT"
    );
    assert_eq!(
        line("RABBITMQ_PREFETCH"),
        "RABBITMQ_PREFETCH 3 environment variable RABBITMQ_PREFETCH"
    );
    // Away, but the daemon runs without it.
    assert!(
        line("warning").contains("the catalogue at *** does not answer: Connection refused"),
        "{}",
        check.stdout
    );
    assert!(
        check
            .stdout
            .ends_with("the daemon can do its work: 1 warning\n")
    );
    assert!(!check.stdout.contains(SECRET), "{}", check.stdout);

    let start = world.daemon.start()?.success()?;
    assert!(
        start.stderr.contains("\nwarning: the catalogue at ***"),
        "{}",
        start.stderr
    );
    assert!(
        world.daemon.log().contains("WARN"),
        "{}",
        world.daemon.log()
    );
    assert!(!(words(&start) + &world.daemon.log()).contains(SECRET));
    Ok(())
}

/// A server that a submodule needs is down: a failure to `check`, but no reason not to start.
#[tokio::test]
async fn what_passes_by_itself_keeps_nothing_from_starting() -> Result<()> {
    let scene = Scene::new(&KINDS[1]).await?;
    let socket = scene.world.daemon.home().join("no-clamd");
    let address = format!("unix:{}", socket.display());
    scene.set(
        &json!({}),
        &json!({ "USE_CLAMD": true, "CLAMD_ADDRESS": [address] }),
    )?;
    let daemon = &scene.world.daemon;
    let check = daemon.run(&["check"])?;
    assert_eq!(check.code, Some(1));
    assert!(
        check.stdout.contains("  failed   clamd at unix:"),
        "{}",
        check.stdout
    );
    for command in ["start", "restart"] {
        let outcome = daemon.run(&[command])?.success()?;
        assert!(
            outcome.stderr.contains("warning: clamd at unix:"),
            "{}",
            outcome.stderr
        );
    }
    scene.world.until_consuming().await
}

/// A broker that is away is a failure, unless it is to be waited for.
#[tokio::test]
async fn a_broker_that_is_away_is_no_failure_with_wait() -> Result<()> {
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let world = World::puppet(&json!({})).await?;
    world.start().await?;
    let pid = world.daemon.pid();
    let away = json!({ "RABBITMQ_PORT": closed });
    world.daemon.connect_to(&world.vhost, "PUPPET", &away)?;
    let restart = world.daemon.restart()?;
    assert_eq!(restart.code, Some(1), "{}", restart.stderr);
    assert!(
        restart.stderr.contains("can't reach RabbitMQ"),
        "{}",
        restart.stderr
    );
    assert_eq!(world.daemon.pid(), pid);
    world.until_consuming().await?;
    assert_eq!(world.daemon.run(&["check"])?.code, Some(1));
    world.daemon.run(&["check", "--wait"])?.success()?;

    let restart = world.daemon.run(&["restart", "--wait"])?.success()?;
    assert!(
        restart
            .stderr
            .contains("warning: the daemon waits for it: can't reach RabbitMQ"),
        "{}",
        restart.stderr
    );
    assert_ne!(world.daemon.pid(), pid);
    Ok(())
}

/// The address for the metrics is taken: by the running daemon, which is no fault, or by somebody else.
#[tokio::test]
async fn an_address_that_another_program_uses_keeps_the_daemon_running() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let other = TcpListener::bind("127.0.0.1:0")?;
    let taken = other.local_addr()?.port().to_string();
    let own = TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port()
        .to_string();
    let run = |command: &str, address: &str| world.daemon.run(&[command, "--metrics", address]);
    run("start", &own)?.success()?;
    let pid = world.daemon.pid();
    run("check", &own)?.success()?;
    assert_eq!(run("check", &taken)?.code, Some(1));
    let restart = run("restart", &taken)?;
    assert_eq!(restart.code, Some(1));
    assert!(
        restart.stderr.contains("cannot listen at 127.0.0.1:"),
        "{}",
        restart.stderr
    );
    assert_eq!(world.daemon.pid(), pid);
    world.until_consuming().await?;
    run("restart", &own)?.success()?;
    assert_ne!(world.daemon.pid(), pid);
    Ok(())
}

/// In the foreground the daemon looks for itself, and refuses the same.
#[tokio::test]
async fn in_the_foreground_too() -> Result<()> {
    let mut world = World::puppet(&json!({ "RABBITMQ_PUPPET_EXCHANGE": "odd" })).await?;
    declare_odd_exchange(&world).await?;
    world.daemon.start_in_foreground(&[])?;
    assert_eq!(world.daemon.wait_foreground(PATIENCE)?, Some(1));
    let log = world.daemon.log();
    assert!(log.contains("exchange 'odd' is fanout, durable: "), "{log}");
    Ok(())
}

/// What is printed can be run as it stands: with the settings file, and for a submodule that the tool has never heard of.
#[tokio::test]
async fn advice_works_as_it_is_printed() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PUPPET_INPUT_QUEUE": "new" })).await?;
    let usual = world.daemon.home().join("edeposit/amqp.json");
    let named = world.daemon.home().join("it's mine.json");
    fs::rename(usual, &named)?;
    let named = named.display().to_string();
    let start = world.daemon.run(&["start", "--settings", &named])?;
    assert_eq!(start.code, Some(1));
    let (_, command) = start.stderr.split_once("; run: ").context("no advice")?;
    let arguments = shlex::split(command.trim()).context("no command line")?;
    assert_eq!(
        arguments[..3],
        ["edeposit_amqp_tool", "--settings", named.as_str()]
    );
    let arguments: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
    world
        .daemon
        .run_other("edeposit_amqp_tool", &arguments)?
        .success()?;
    world
        .daemon
        .run(&["start", "--settings", &named])?
        .success()?;
    Ok(())
}

/// An input queue of a kind that loses or repeats requests, and rights that are missing.
#[tokio::test]
async fn kinds_of_queues_and_rights_are_told() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let (connection, channel) = world.vhost.connect().await?;
    let mut stream = FieldTable::default();
    stream.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("stream".into()),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let passing = QueueDeclareOptions {
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..durable
    };
    for (queue, options, arguments, expected) in [
        (
            "stream",
            durable,
            stream,
            "queue 'stream' is stream, durable: ",
        ),
        (
            "passing",
            passing,
            FieldTable::default(),
            "queue 'passing' is classic, not durable, auto-delete: ",
        ),
        (
            "own",
            exclusive,
            FieldTable::default(),
            "queue 'own' is exclusive: ",
        ),
    ] {
        channel
            .queue_declare(queue.into(), options, arguments)
            .await?;
        let settings = json!({ "RABBITMQ_PUPPET_INPUT_QUEUE": queue });
        world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
        for command in ["check", "start"] {
            let outcome = world.daemon.run(&[command])?;
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(words(&outcome).contains(expected), "{outcome:?}");
        }
    }
    connection.close(200, "done".into()).await?;

    let node = RabbitNode::shared()?;
    node.create_user("checked", "secret")?;
    let settings = json!({ "RABBITMQ_USER_NAME": "checked", "RABBITMQ_USER_PASSWORD": "secret" });
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    let permit = |write: &str, read: &str| world.vhost.permit("checked", "^$", write, read);
    permit(".*", ".*")?;
    let check = world.daemon.run(&["check"])?.success()?;
    let unseen = "of what kind it is cannot be seen, as user 'checked' may not configure it";
    assert_eq!(check.stdout.matches(unseen).count(), 2, "{}", check.stdout);
    permit(".*", "^$")?;
    let check = world.daemon.run(&["check"])?;
    assert_eq!(check.code, Some(1));
    assert!(
        check
            .stdout
            .contains("denies access while starting to consume"),
        "{}",
        check.stdout
    );
    permit("^$", ".*")?;
    let check = world.daemon.run(&["check"])?;
    assert_eq!(check.code, Some(1));
    let denied = "user 'checked' may not publish to exchange 'puppet' with key 'result': ";
    assert!(check.stdout.contains(denied), "{}", check.stdout);
    // The right is looked at with every message.
    let start = world.daemon.start()?.success()?;
    assert!(start.stderr.contains(denied), "{}", start.stderr);
    world.daemon.stop()?.success()?;
    node.delete_user("checked")
}
