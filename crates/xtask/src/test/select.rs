//! Which tests the names on the command line mean, and how cargo is told to run them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::catalogue::{Kind, Target, TestFunction};

/// Tests that were asked for by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The runs of `cargo test`, one after the other.
    pub runs: Vec<Run>,
    /// The sources of the tests.
    files: BTreeSet<PathBuf>,
}

/// One run of `cargo test`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub package: String,
    /// Of the package; all, if there are none.
    pub targets: Vec<Target>,
    /// A part of the functions' names; all functions, if there is none.
    pub filter: Option<String>,
}

impl Selection {
    /// The sources of the tests.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }
}

impl Run {
    /// What cargo is told: package and targets.
    pub fn cargo_arguments(&self) -> Vec<&str> {
        let mut arguments = vec!["--package", &self.package];
        for target in &self.targets {
            match target.kind {
                Kind::Lib => arguments.push("--lib"),
                Kind::Bin => arguments.extend(["--bin", &target.name]),
                Kind::Test => arguments.extend(["--test", &target.name]),
            }
        }
        arguments
    }
}

/// The tests that each of `names` means: a package (also `ftp_manager` for `edeposit-ftp-manager`), a test executable, or else all functions
/// in whose name it stands.
///
/// # Errors
/// A name means nothing.
pub fn select(functions: &[TestFunction], names: &[String]) -> Result<Selection> {
    let mut selection = Selection::default();
    for name in names {
        let runs = match exact(functions, name) {
            runs if runs.is_empty() => by_part(functions, name),
            runs => runs,
        };
        if runs.is_empty() {
            bail!(
                "nothing is called '{name}': no package, no test executable, and it is no part of any test function's name. \
                 `cargo xtask test --list` shows them all"
            );
        }
        for run in runs {
            let of_run = functions.iter().filter(|function| run.has(function));
            selection
                .files
                .extend(of_run.map(|function| function.file.clone()));
            if !selection.runs.contains(&run) {
                selection.runs.push(run);
            }
        }
    }
    Ok(selection)
}

impl Run {
    fn has(&self, function: &TestFunction) -> bool {
        let of_target = self.targets.is_empty() || self.targets.contains(&function.target);
        let of_filter = self.filter.as_ref();
        function.target.package == self.package
            && of_target
            && of_filter.is_none_or(|filter| function.name.contains(filter))
    }
}

fn exact(functions: &[TestFunction], name: &str) -> Vec<Run> {
    let targets: BTreeSet<&Target> = functions.iter().map(|function| &function.target).collect();
    let mut runs = Vec::new();
    for target in targets {
        let is_package = target.package == name
            || target.package == format!("edeposit-{}", name.replace('_', "-"));
        let is_target = target.kind == Kind::Test && target.name == name;
        let run = Run {
            package: target.package.clone(),
            targets: match is_package {
                true => Vec::new(),
                false => vec![target.clone()],
            },
            filter: None,
        };
        if (is_package || is_target) && !runs.contains(&run) {
            runs.push(run);
        }
    }
    runs
}

fn by_part(functions: &[TestFunction], part: &str) -> Vec<Run> {
    let mut packages: BTreeMap<&str, BTreeSet<&Target>> = BTreeMap::new();
    for function in functions {
        if function.name.contains(part) {
            let targets = packages.entry(&function.target.package).or_default();
            targets.insert(&function.target);
        }
    }
    let runs = packages.into_iter().map(|(package, targets)| Run {
        package: package.to_owned(),
        targets: targets.into_iter().cloned().collect(),
        filter: Some(part.to_owned()),
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cargo::{cargo, workspace};
    use crate::test::catalogue;
    use crate::test::needs::{self, Need};

    /// This workspace's tests.
    fn catalogue() -> Vec<TestFunction> {
        let output = cargo(&["metadata", "--no-deps", "--offline", "--format-version=1"])
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        catalogue::read(&workspace(), &metadata).unwrap()
    }

    fn selected(names: &[&str]) -> Result<Selection> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        select(&catalogue(), &names)
    }

    fn arguments(selection: &Selection) -> Vec<String> {
        let runs = selection.runs.iter();
        runs.map(|run| {
            let arguments = run.cargo_arguments().join(" ");
            format!("{arguments} -- {}", run.filter.as_deref().unwrap_or(""))
        })
        .collect()
    }

    /// What was read in the sources is what a test executable tells of itself: this one.
    #[test]
    fn names_are_those_of_the_executable() {
        let listed = std::process::Command::new(std::env::current_exe().unwrap())
            .arg("--list")
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let lines = listed.lines();
        let mut listed: Vec<&str> = lines
            .filter_map(|line| line.strip_suffix(": test"))
            .collect();
        let mut read = catalogue();
        read.retain(|function| {
            function.target.package == "edeposit-xtask" && function.target.kind == Kind::Bin
        });
        let mut read: Vec<&str> = read.iter().map(|function| &*function.name).collect();
        listed.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, listed);
    }

    #[test]
    fn a_part_of_a_functions_name() {
        let selection = selected(&["fault_34"]).unwrap();
        assert_eq!(
            arguments(&selection),
            ["--package edeposit-tests --test faults -- fault_34"]
        );
        assert!(selection.files().count() >= 2);
        let (needs, programs) = needs::of(selection.files());
        assert_eq!(needs.into_iter().collect::<Vec<_>>(), [Need::RabbitMq]);
        assert!(programs.is_empty(), "{programs:?}");
    }

    #[test]
    fn what_only_one_of_several_modules_needs() {
        let clock = selected(&["the_wall_clock_jumps"]).unwrap();
        let (needs, _) = needs::of(clock.files());
        assert!(needs.contains(&Need::FakeTime));
        let manager = selected(&["ftp::"]).unwrap_err();
        assert!(manager.to_string().contains("--list"), "{manager}");
        let (needs, programs) = needs::of(selected(&["proftpd_init::"]).unwrap().files());
        assert!(needs.contains(&Need::ProFtpd) && !needs.contains(&Need::Python));
        assert!(programs.contains("edeposit_proftpd_init"));
    }

    #[test]
    fn unit_tests_need_nothing() {
        let selection = selected(&["what_only_one_of_several_modules_needs"]).unwrap();
        assert_eq!(
            arguments(&selection),
            [
                "--package edeposit-xtask --bin edeposit-xtask -- what_only_one_of_several_modules_needs"
            ]
        );
        let (needs, programs) = needs::of(selection.files());
        assert!(needs.is_empty() && programs.is_empty());
    }

    #[test]
    fn packages_and_executables() {
        let selection = selected(&["aleph", "edeposit-marc", "tool", "aleph"]).unwrap();
        assert_eq!(
            arguments(&selection),
            [
                "--package edeposit-aleph -- ",
                "--package edeposit-marc -- ",
                "--package edeposit-tests --test tool -- ",
            ]
        );
        // One name of both: the crate and its end-to-end tests.
        let both = selected(&["client"]).unwrap();
        assert_eq!(both.runs.len(), 2, "{both:?}");
        let submodule = selected(&["ftp_manager"]).unwrap();
        assert_eq!(
            arguments(&submodule),
            ["--package edeposit-ftp-manager -- "]
        );
    }

    #[test]
    fn a_name_of_nothing() {
        let error = selected(&["fault_34", "no_such_test"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("'no_such_test'"), "{text}");
        assert!(text.contains("cargo xtask test --list"), "{text}");
    }

    /// The sources say which programs they run; so must the table of needs.
    #[test]
    fn programs_in_the_sources_are_in_the_table() {
        let mut found = 0;
        for function in catalogue() {
            if !function.file.starts_with("tests/tests") {
                continue;
            }
            let source = std::fs::read_to_string(workspace().join(&function.file)).unwrap();
            let (_, programs) = needs::of([function.file.as_path()]);
            let mut named: BTreeSet<&str> = source
                .split('"')
                .filter(|word| {
                    word.starts_with("edeposit_amqp_") || *word == "edeposit_proftpd_init"
                })
                .filter(|word| workspace().join("bins").join(directory(word)).is_dir())
                .collect();
            if source.contains("World::aleph(") {
                named.insert("edeposit_amqp_alephdaemon");
            }
            found += named.len();
            let missing: Vec<_> = named.difference(&programs).collect();
            assert!(
                missing.is_empty(),
                "{}: {missing:?}",
                function.file.display()
            );
        }
        assert!(found > 0);
    }

    /// Where the package of a program is.
    fn directory(program: &str) -> &str {
        let name = program.strip_prefix("edeposit_").unwrap_or(program);
        name.strip_prefix("amqp_").unwrap_or(name)
    }
}
