//! What the machine needs for the other commands, fetched where it is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use edeposit_testkit::{RabbitNode, fake_time_library, target_dir};

use crate::cargo::{cargo, run};

/// The AMQP library of the Python callers in `tests/`.
const PIKA: &str = "1.4.4";

const INSTALL: &str = include_str!("install.sh");

/// RabbitMQ's program files. The service of the package is neither started nor used: every command here starts a node of
/// its own.
pub fn rabbitmq() -> Result<()> {
    if RabbitNode::is_installed() {
        return Ok(());
    }
    println!("RabbitMQ is missing: installing Debian's package, without starting its service.");
    install("rabbitmq-server", &["rabbitmq-server"])?;
    if !RabbitNode::is_installed() {
        bail!(
            "the package rabbitmq-server is installed, but has no /usr/lib/rabbitmq/bin/rabbitmq-server"
        );
    }
    Ok(())
}

/// Debian's library that tells a program another time of day: for the tests in which the clock jumps.
pub fn faketime() -> Result<()> {
    if fake_time_library().is_some() {
        return Ok(());
    }
    println!("The library faketime is missing: installing Debian's package.");
    install("", &["faketime"])?;
    if fake_time_library().is_none() {
        bail!("the package faketime is installed, but its library is not found");
    }
    Ok(())
}

/// What compiles the daemons' memory allocator, which is written in C.
pub fn make() -> Result<()> {
    if succeeds(Command::new("make").arg("--version")) {
        return Ok(());
    }
    println!("make is missing: installing Debian's package.");
    install("", &["make"])
}

/// ClamAV's server and programs. Neither its services nor any database of signatures is used: each test makes its own.
pub fn clamav() -> Result<()> {
    let has = |program: &str| {
        succeeds(Command::new(program).arg("--version"))
            || Path::new("/usr/sbin").join(program).exists()
    };
    if ["clamd", "clamscan", "freshclam"].into_iter().all(has) {
        return Ok(());
    }
    println!("ClamAV is missing: installing Debian's packages, without starting their services.");
    install(
        "clamav-daemon clamav-freshclam",
        &["clamav", "clamav-daemon"],
    )
}

/// ProFTPD's server and tools, and the Python whose FTP client talks to it. The package's service is neither started nor
/// used: each test starts a server of its own.
pub fn proftpd() -> Result<()> {
    let programs = [
        "/usr/sbin/proftpd",
        "/usr/sbin/ftpasswd",
        "/usr/bin/python3",
    ];
    if programs.iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    println!("ProFTPD is missing: installing Debian's packages, without starting its service.");
    install("proftpd", &["proftpd-core", "python3"])
}

/// The program that rotates logs, and the FTP client of the tests. Neither the system's logs nor its configuration are touched.
pub fn logrotate() -> Result<()> {
    let programs = ["/usr/sbin/logrotate", "/usr/bin/curl"];
    if programs.iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    println!("logrotate or curl is missing: installing Debian's packages.");
    install("", &["logrotate", "curl"])
}

/// Readers of MODS: `xmllint`, which says whether a document is valid against the schema, and `xml2bib` of bibutils, which
/// makes a citation of it.
pub fn mods_readers() -> Result<()> {
    let has = |program: &str, option: &str| succeeds(Command::new(program).arg(option));
    if has("xmllint", "--version") && has("xml2bib", "-v") {
        return Ok(());
    }
    println!("xmllint or xml2bib is missing: installing Debian's packages.");
    install("", &["libxml2-utils", "bibutils"])
}

/// OpenSSH's SFTP client and server, without a daemon.
pub fn sftp() -> Result<()> {
    let has_server = Path::new("/usr/lib/openssh/sftp-server").exists();
    if has_server && Path::new("/usr/bin/sftp").exists() {
        return Ok(());
    }
    println!("SFTP is missing: installing Debian's packages.");
    install("", &["openssh-client", "openssh-sftp-server"])
}

/// A Python with pika in `target/venv`, for the callers written in Python. Returns its path.
pub fn python() -> Result<PathBuf> {
    let venv_dir = target_dir()?.join("venv");
    let python = venv_dir.join("bin/python");
    let check = format!("import pika; assert pika.__version__ == '{PIKA}'");
    if succeeds(Command::new(&python).args(["-c", &check])) {
        return Ok(python);
    }
    println!(
        "Making a Python environment with pika {PIKA} in {}.",
        venv_dir.display()
    );
    venv(&venv_dir, &[&format!("pika=={PIKA}")])?;
    Ok(python)
}

/// A new Python environment in `dir` with these packages: pip's arguments.
pub fn venv(dir: &Path, packages: &[&str]) -> Result<()> {
    let make = |program: &str| {
        let mut command = Command::new(program);
        command.args(["-m", "venv", "--clear"]).arg(dir);
        command
    };
    if !succeeds(&mut make("python3")) {
        println!("Python or its module venv is missing: installing Debian's packages.");
        install("", &["python3", "python3-venv"])?;
        // Not the python3 of the search path, which has just failed.
        run(&mut make("/usr/bin/python3"))?;
    }
    run(Command::new(dir.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(packages))
    .context("fetching from the Python Package Index")
}

/// The converter of e-books, its sandbox, and what looks into the PDF files it makes.
pub fn calibre() -> Result<()> {
    let programs = [
        ("ebook-convert", "--version"),
        ("bwrap", "--version"),
        ("pdfinfo", "-v"),
    ];
    if programs
        .iter()
        .all(|(program, version)| succeeds(Command::new(program).arg(version)))
    {
        return Ok(());
    }
    println!("Calibre, bubblewrap or poppler's tools are missing: installing Debian's packages.");
    install("", &["calibre", "bubblewrap", "poppler-utils"])
}

/// What brings faults about: `strace`, which ends a process at an exact point of its work, and `chattr`, by which a file can
/// be had that even root cannot remove.
pub fn tools_for_faults() -> Result<()> {
    let programs = ["/usr/bin/strace", "/usr/bin/chattr"];
    if programs.iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    println!("strace or chattr is missing: installing Debian's packages.");
    install("", &["strace", "e2fsprogs"])
}

/// The parts of the Rust toolchain that are not in its minimal profile.
pub fn rust_components() -> Result<()> {
    for (component, program) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds(&mut cargo(&[program, "--version"])) {
            println!("cargo {program} is missing: adding the toolchain's component.");
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Installs Debian packages as root, through sudo if need be. `service` (several are separated by blanks) is left stopped,
/// and not started at boot.
fn install(service: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!(
        "install it by hand: apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine has no apt-get; {by_hand}, or your system's like");
    }
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("sh")
    } else if succeeds(Command::new("sudo").arg("--version")) {
        let mut command = Command::new("sudo");
        command.arg("sh");
        command
    } else {
        bail!("only root can install packages, and there is no sudo; {by_hand}");
    };
    println!(
        "$ apt-get update && apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    let status = command
        .args(["-c", INSTALL, "install", service])
        .args(packages)
        .status()
        .context("running the installation")?;
    if !status.success() {
        bail!("the installation failed ({status}); {by_hand}");
    }
    Ok(())
}

/// Whether a command can be run and succeeds; it is not heard.
fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
