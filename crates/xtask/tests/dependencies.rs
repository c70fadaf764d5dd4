//! Who may depend on whom: the rules of docs/architecture.md, held against what cargo says and against the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// For each crate of the framework, those of the project's crates that it may use. A submodule's crate may use
/// [`SUBMODULES_USE`] and the crates of other submodules.
const FRAMEWORK: [(&str, &[&str]); 7] = [
    ("edeposit-serializers", &[]),
    ("edeposit-settings", &[]),
    ("edeposit-daemonwrapper", &[]),
    ("edeposit-amqp", &["edeposit-settings"]),
    ("edeposit-pikadaemon", &["edeposit-amqp"]),
    (
        "edeposit-amqpdaemon",
        &[
            "edeposit-amqp",
            "edeposit-daemonwrapper",
            "edeposit-pikadaemon",
            "edeposit-serializers",
            "edeposit-settings",
        ],
    ),
    (
        "edeposit-client",
        &[
            "edeposit-amqp",
            "edeposit-pikadaemon",
            "edeposit-serializers",
            "edeposit-settings",
        ],
    ),
];

/// What a submodule's crate may use of the framework: nothing that knows the broker.
const SUBMODULES_USE: [&str; 3] = [
    "edeposit-amqpdaemon",
    "edeposit-serializers",
    "edeposit-settings",
];

/// Not installed anywhere, and clients of RabbitMQ in their own right: what they find out must not depend on our own code.
const BESIDE: [&str; 3] = ["edeposit-testkit", "edeposit-bench", "edeposit-tests"];

struct Package {
    /// Where its sources are.
    directory: PathBuf,
    /// What it is built with; not what only its tests use.
    uses: BTreeSet<String>,
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().unwrap()
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let uses = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]));
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let package_of = Package {
                directory: manifest.parent().unwrap().to_owned(),
                uses: uses.collect(),
            };
            (text(&package["name"]), package_of)
        })
        .collect()
}

/// Every Rust source of a directory, with its text.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn is_ours(name: &str) -> bool {
    name.starts_with("edeposit")
}

#[test]
fn a_crate_of_the_framework_uses_only_what_is_below_it() {
    let packages = packages();
    for (name, allowed) in FRAMEWORK {
        let package = &packages[name];
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let uses = package.uses.iter().map(String::as_str);
        let ours: BTreeSet<&str> = uses.filter(|used| is_ours(used)).collect();
        assert_eq!(
            ours, allowed,
            "{name}: docs/architecture.md says what it may use"
        );
    }
}

#[test]
fn a_submodule_knows_nothing_of_the_broker() {
    let packages = packages();
    let below = |directory: &Path| directory.starts_with(root().join("crates/submodules"));
    let submodules: BTreeSet<&str> = packages
        .iter()
        .filter(|(_, package)| below(&package.directory))
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(submodules.len() >= 10, "{submodules:?}");
    for name in &submodules {
        for used in packages[*name].uses.iter().filter(|used| is_ours(used)) {
            assert!(
                SUBMODULES_USE.contains(&used.as_str()) || submodules.contains(used.as_str()),
                "{name} uses {used}"
            );
        }
    }
}

#[test]
fn only_edeposit_amqp_names_lapin() {
    let packages = packages();
    let shipped = packages
        .iter()
        .filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    for (name, package) in shipped {
        if name == "edeposit-amqp" {
            assert!(package.uses.contains("lapin"));
            continue;
        }
        for library in ["lapin", "amq-protocol"] {
            assert!(!package.uses.contains(library), "{name} uses {library}");
        }
        for (path, text) in sources(&package.directory.join("src")) {
            assert!(!text.contains("lapin::"), "{}", path.display());
        }
    }
}

#[test]
fn nothing_that_is_installed_uses_the_testkit() {
    for (name, package) in packages() {
        let ours = BESIDE.contains(&name.as_str()) || name == "edeposit-xtask";
        assert!(
            ours || !package.uses.contains("edeposit-testkit"),
            "{name} uses the testkit outside of its tests"
        );
    }
}
