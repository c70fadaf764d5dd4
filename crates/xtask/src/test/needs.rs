//! What tests need beside their own packages: servers and tools of the machine, and programs of this workspace.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::setup;

/// Something tests need; setting it up is a step of its own, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A Python with pika.
    Python,
    Calibre,
    FakeTime,
    /// A private RabbitMQ node.
    RabbitMq,
    ClamAv,
    ProFtpd,
    Logrotate,
    ModsReaders,
    Sftp,
    /// `strace` and `chattr`.
    FaultTools,
}

use Need::*;

impl Need {
    /// The step's name.
    pub fn name(self) -> &'static str {
        match self {
            Python => "Python caller",
            Calibre => "converter of e-books",
            FakeTime => "library of false time",
            RabbitMq => "private RabbitMQ",
            ClamAv => "ClamAV",
            ProFtpd => "ProFTPD",
            Logrotate => "logrotate",
            ModsReaders => "readers of MODS",
            Sftp => "SFTP",
            FaultTools => "tools that bring faults about",
        }
    }

    /// Installs what is missing.
    ///
    /// # Errors
    /// It cannot be installed.
    pub fn install(self) -> Result<()> {
        match self {
            Python => setup::python().map(drop),
            Calibre => setup::calibre(),
            FakeTime => setup::faketime(),
            RabbitMq => setup::rabbitmq(),
            ClamAv => setup::clamav(),
            ProFtpd => setup::proftpd(),
            Logrotate => setup::logrotate(),
            ModsReaders => setup::mods_readers(),
            Sftp => setup::sftp(),
            FaultTools => setup::tools_for_faults(),
        }
    }
}

/// What the tests below a path of the workspace need.
struct Row {
    /// `*` is any one name.
    path: &'static str,
    needs: &'static [Need],
    /// Packages whose programs they run, beside their own.
    programs: &'static [&'static str],
}

const fn row(path: &'static str, needs: &'static [Need], programs: &'static [&'static str]) -> Row {
    Row {
        path,
        needs,
        programs,
    }
}

/// A test needs what all rows say that its source is below. Those that are below none need nothing.
const ROWS: &[Row] = &[
    row("crates/testkit/tests/caller.rs", &[RabbitMq], &[]),
    row("crates/testkit/tests/node.rs", &[RabbitMq], &[]),
    row("crates/amqp/tests", &[RabbitMq], &[]),
    row("crates/pikadaemon/tests", &[RabbitMq], &[]),
    row("crates/submodules/antivirus/tests", &[ClamAv], &[]),
    row("crates/submodules/calibre/tests", &[Calibre], &[]),
    row("crates/submodules/ftp_manager/tests", &[FaultTools], &[]),
    row("crates/submodules/ltp/tests", &[ModsReaders], &[]),
    row("crates/submodules/marcxml2mods/tests", &[ModsReaders], &[]),
    row("crates/xtask/tests/new_submodule.rs", &[RabbitMq], &[]),
    // Of submodules as `cargo xtask new` makes them.
    row("bins/*/tests", &[RabbitMq], &[]),
    row(
        "tests/tests/check",
        &[RabbitMq, Calibre, ClamAv],
        &[
            ALEPH,
            "edeposit_amqp_antivirusd",
            "edeposit_amqp_calibredaemon",
            "edeposit_amqp_downloaderd",
            FTP_MANAGER,
            FTP_MONITOR,
            "edeposit_amqp_ltpd",
            MODS,
            TOOL,
        ],
    ),
    row("tests/tests/client", &[RabbitMq], &[]),
    row("tests/tests/daemon", &[RabbitMq], &[ALEPH, TOOL]),
    row(
        "tests/tests/documented/examples.rs",
        &[RabbitMq],
        &["greeter", "counter", "strict_order"],
    ),
    row(
        "tests/tests/documented/greeter.rs",
        &[RabbitMq],
        &["greeter"],
    ),
    row("tests/tests/faults", &[RabbitMq], &[]),
    row("tests/tests/faults/process.rs", &[FakeTime], &[]),
    row(
        "tests/tests/ftp",
        &[RabbitMq, ProFtpd],
        &[FTP_MANAGER, FTP_MONITOR, "edeposit_proftpd_init"],
    ),
    row("tests/tests/ftp/manager", &[Python], &[]),
    row("tests/tests/ftp/monitor_faults.rs", &[FaultTools], &[]),
    row("tests/tests/ftp/monitor_homes.rs", &[Logrotate], &[]),
    row("tests/tests/ftp/monitor_log.rs", &[Logrotate], &[]),
    row("tests/tests/requests", &[RabbitMq], &[ALEPH]),
    row("tests/tests/requests/python.rs", &[Python], &[MODS]),
    row(
        "tests/tests/submodules/antivirus.rs",
        &[RabbitMq, ClamAv],
        &["edeposit_amqp_antivirusd"],
    ),
    row(
        "tests/tests/submodules/calibre",
        &[RabbitMq, Calibre, FaultTools],
        &["edeposit_amqp_calibredaemon"],
    ),
    row(
        "tests/tests/submodules/downloader.rs",
        &[RabbitMq],
        &["edeposit_amqp_downloaderd"],
    ),
    row(
        "tests/tests/submodules/ltp.rs",
        &[RabbitMq, Python, ModsReaders, Sftp],
        &["edeposit_amqp_ltpd"],
    ),
    row(
        "tests/tests/submodules/marcxml2mods.rs",
        &[RabbitMq],
        &[MODS],
    ),
    row("tests/tests/tool", &[RabbitMq], &[ALEPH, TOOL, "greeter"]),
];

const ALEPH: &str = "edeposit_amqp_alephdaemon";
const FTP_MANAGER: &str = "edeposit_amqp_ftp_managerd";
const FTP_MONITOR: &str = "edeposit_amqp_ftp_monitord";
const MODS: &str = "edeposit_amqp_marcxml2modsd";
const TOOL: &str = "edeposit_amqp_tool";

fn is_below(file: &Path, path: &str) -> bool {
    let mut names = file.iter();
    Path::new(path).iter().all(|wanted| {
        names
            .next()
            .is_some_and(|name| wanted == "*" || name == wanted)
    })
}

/// What tests in these sources need, and the packages of the programs they run.
pub fn of<'a>(
    files: impl IntoIterator<Item = &'a Path>,
) -> (BTreeSet<Need>, BTreeSet<&'static str>) {
    let (mut needs, mut programs) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        for row in ROWS.iter().filter(|row| is_below(file, row.path)) {
            needs.extend(row.needs);
            programs.extend(row.programs);
        }
    }
    (needs, programs)
}

/// What any test needs.
pub fn all() -> BTreeSet<Need> {
    ROWS.iter().flat_map(|row| row.needs).copied().collect()
}
