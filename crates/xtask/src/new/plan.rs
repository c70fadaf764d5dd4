//! What is about to be written for a new submodule: decided, and checked, before the first file is touched.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::anchor::{Changed, with_line_before};
use super::template::{self, NewFile, Words};

/// New files and changed ones.
pub struct Plan {
    /// Directories that are new with all they hold.
    directories: [String; 2],
    pub new: Vec<NewFile>,
    pub changed: [Changed; 2],
}

impl Plan {
    /// Plans a submodule in the workspace `root`.
    ///
    /// # Errors
    /// Something is there already, or a line is missing beside which something is to be written.
    pub fn new(root: &Path, words: &Words) -> Result<Self> {
        let Words { name, about, .. } = words;
        let new = template::files(words)?;
        let directories = [format!("crates/submodules/{name}"), format!("bins/{name}d")];
        let paths = new.iter().map(|file| &file.path);
        for path in directories.iter().chain(paths) {
            if fs::symlink_metadata(root.join(path)).is_ok() {
                bail!(
                    "{path} exists already: choose another name, or, if it is left over, remove it (git status shows what \
                     belongs together)"
                );
            }
        }
        let dependency = format!(
            "{} = {{ path = \"crates/submodules/{name}\" }}",
            name.library()
        );
        let row = format!(
            "| `{}` ([docs](docs/{name}.md)) | {about} |",
            name.program()
        );
        let changed = [
            with_line_before(root, "Cargo.toml", "edeposit-testkit = ", &dependency)?,
            with_line_before(root, "README.md", "| `edeposit_amqp_tool`", &row)?,
        ];
        Ok(Self {
            directories,
            new,
            changed,
        })
    }

    /// Writes all of it, or nothing.
    ///
    /// # Errors
    /// Something cannot be written.
    pub fn carry_out(&self, root: &Path) -> Result<()> {
        self.write(root).inspect_err(|_| self.undo(root))
    }

    fn write(&self, root: &Path) -> Result<()> {
        for NewFile { path, text } in &self.new {
            let file = root.join(path);
            file.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&file, text))
                .with_context(|| format!("writing {}", file.display()))?;
        }
        for Changed { path, new, .. } in &self.changed {
            fs::write(root.join(path), new).with_context(|| format!("writing {path}"))?;
        }
        Ok(())
    }

    /// Takes back what was written, and tells what cannot be taken back.
    fn undo(&self, root: &Path) {
        let undone = |path: &str, result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                eprintln!("{path} could not be put back as it was: {error}");
            }
            _ => {}
        };
        for path in &self.directories {
            undone(path, fs::remove_dir_all(root.join(path)));
        }
        for NewFile { path, .. } in &self.new {
            undone(path, fs::remove_file(root.join(path)));
        }
        for Changed { path, old, .. } in &self.changed {
            undone(path, fs::write(root.join(path), old));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use edeposit_settings::{Settings, Sources};
    use tempfile::TempDir;

    use super::super::name::Name;
    use super::*;

    const MANIFEST: &str = "a = 1\nedeposit-testkit = { path = \"crates/testkit\" }\n";
    const README: &str = "| `edeposit_amqp_aleph` |\n| `edeposit_amqp_tool` |\n";

    fn plan(root: &Path, name: &str) -> Result<Plan> {
        let name = Name::new(name)?;
        let submodule = Settings::load_sources(&Sources::none())?.submodule(name.snake())?;
        let words = Words {
            name: &name,
            about: "counts words",
            submodule: &submodule,
        };
        Plan::new(root, &words)
    }

    fn workspace() -> Result<TempDir> {
        let root = tempfile::tempdir()?;
        fs::write(root.path().join("Cargo.toml"), MANIFEST)?;
        fs::write(root.path().join("README.md"), README)?;
        Ok(root)
    }

    /// All files, and directories, below one.
    fn tree(root: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            if path.is_dir() {
                found.extend(tree(&path)?);
            }
            found.push(path);
        }
        found.sort();
        Ok(found)
    }

    #[test]
    fn every_file_is_written_and_no_word_of_the_template_is_left() -> Result<()> {
        let root = workspace()?;
        plan(root.path(), "storage")?.carry_out(root.path())?;
        let mut files = 0;
        for path in tree(root.path())?.iter().filter(|path| path.is_file()) {
            let text = fs::read_to_string(path)?;
            let all = format!("{} {text}", path.display()).to_lowercase();
            assert!(!all.contains("template"), "{all}");
            files += 1;
        }
        assert_eq!(files, 13);
        // The settings have an exchange of another name for this one.
        let page = fs::read_to_string(root.path().join("docs/storage.md"))?;
        assert!(page.contains("exchange `export`"), "{page}");
        let manifest = fs::read_to_string(root.path().join("Cargo.toml"))?;
        let line =
            "\nedeposit-storage = { path = \"crates/submodules/storage\" }\nedeposit-testkit";
        assert!(manifest.contains(line), "{manifest}");
        Ok(())
    }

    #[test]
    fn what_is_there_is_left_alone() -> Result<()> {
        for there in ["crates/submodules/words", "bins/wordsd", "docs/words.md"] {
            let root = workspace()?;
            fs::create_dir_all(root.path().join(there))?;
            let before = tree(root.path())?;
            let error = plan(root.path(), "words").err().context("no error")?;
            assert!(error.to_string().starts_with(there), "{error}");
            assert_eq!(tree(root.path())?, before);
        }
        Ok(())
    }

    #[test]
    fn a_name_that_the_code_uses_is_refused() -> Result<()> {
        let root = workspace()?;
        for name in ["result", "self", "template_name"] {
            let error = plan(root.path(), name).err().context("no error")?;
            assert!(error.to_string().contains("choose another name"), "{error}");
        }
        Ok(())
    }

    /// The last directory cannot be made: all that was written before is taken back.
    #[test]
    fn nothing_half_made_is_left() -> Result<()> {
        let root = workspace()?;
        let plan = plan(root.path(), "words")?;
        fs::write(root.path().join("docs"), "in the way")?;
        fs::create_dir_all(root.path().join("crates/submodules"))?;
        fs::create_dir(root.path().join("bins"))?;
        let before = tree(root.path())?;
        assert!(plan.carry_out(root.path()).is_err());
        assert_eq!(tree(root.path())?, before);
        assert_eq!(fs::read_to_string(root.path().join("README.md"))?, README);
        Ok(())
    }
}
