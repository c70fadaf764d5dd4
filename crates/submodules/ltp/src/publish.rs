//! How a package comes into the export directory: in one step, whole, or not at all.
//!
//! It is built in `.tmp-RANDOM-ID` beside its final place, so that one rename puts it there. If a package is there
//! already, the two change places in one step, and the earlier one is then deleted under the temporary name. A process
//! that dies leaves a temporary directory behind, and nothing else. Whoever gets the lock of the book may delete it: the
//! next export of the same book, or the next start of a daemon.

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::LtpError;
use crate::book_id::BookId;
use crate::dir::Dir;
use crate::lock::{LOCKS, Lock};
use crate::states::{Owner, State, owner};

/// What names of temporary directories begin with.
const TEMPORARY: &str = ".tmp-";

/// What names begin with that states of unknown contents get when they have to give way.
const SET_ASIDE: &str = ".old-";

/// Characters of the random part of a name.
const RANDOM: usize = 8;

/// Names have 255 bytes at most.
const LONGEST_SHOWN: usize = 200;

/// A directory in the making. Dropping it deletes what its temporary name stands for: an unfinished package, or the
/// earlier one that was replaced.
pub(crate) struct Temporary<'a> {
    export: &'a Dir,
    name: String,
    dir: Dir,
}

impl<'a> Temporary<'a> {
    /// Makes a directory for the book `id`, whose lock has to be held.
    pub fn new(export: &'a Dir, id: &str, _lock: &Lock) -> Result<Self, LtpError> {
        let name = temporary_name(id);
        let dir = export.make(&name)?;
        Ok(Self { export, name, dir })
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Gives the directory its final name, then does `afterwards` what is to be done before the earlier one is deleted.
    pub fn publish(
        self,
        target: &str,
        afterwards: impl FnOnce(&Dir) -> Result<(), LtpError>,
    ) -> Result<(), LtpError> {
        let path = self.export.path().join(target);
        let refused = LtpError::at("renaming the finished package", &path);
        loop {
            // The archive renames at any time: what is there now may be gone in the next moment, and the other way round.
            match self.rename(target, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                Ok(()) => break,
                Err(errno) => return Err(refused(errno)),
            }
            match self.rename(target, RenameFlags::EXCHANGE) {
                Err(Errno::NOENT) => {}
                Ok(()) => break,
                Err(errno) => return Err(refused(errno)),
            }
        }
        self.export.sync()?;
        afterwards(&self.dir)
    }

    fn rename(&self, target: &str, flags: RenameFlags) -> Result<(), Errno> {
        self.export.rename(&self.name, target, flags)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        delete(self.export, &self.name);
    }
}

/// Removes the states that earlier packages of the book are in. `new` is the package that was just published, which the
/// archive may have renamed meanwhile.
pub(crate) fn clear_states(
    export: &Dir,
    id: &BookId,
    export_prefix: &str,
    new: &Dir,
) -> Result<(), LtpError> {
    let new = new.own_identity()?;
    for name in export.names()? {
        if State::of(&name, id, export_prefix).is_none()
            || !export.is_directory(&name)
            || export.identity(&name) == Some(new)
        {
            continue;
        }
        // What is deleted has to be a package of this very book, and not merely to be called so.
        let aside = match owner(export, &name, id) {
            Owner::Other => continue,
            Owner::This => temporary_name(id.as_str()),
            Owner::Unknown => set_aside_name(&name, id),
        };
        match export.rename(&name, &aside, RenameFlags::NOREPLACE) {
            Err(Errno::NOENT) => continue,
            done => done.map_err(LtpError::at(
                "setting an earlier state aside",
                &export.path().join(&name),
            ))?,
        }
        if aside.starts_with(TEMPORARY) {
            tracing::info!(%id, state = name, "the state of an earlier export is removed");
            delete(export, &aside);
        } else {
            let now = export.path().join(&aside);
            tracing::warn!(%id, state = name, now = %now.display(), "a state without an info file is set aside; delete it when it is of no use");
        }
    }
    export.sync()
}

/// Deletes what earlier processes left of this book, whose lock has to be held.
pub(crate) fn delete_leftovers(export: &Dir, id: &str, _lock: &Lock) -> Result<(), LtpError> {
    for name in export.names()? {
        if book_of(&name) == Some(id) {
            tracing::info!(id, name, "what a process that died has left is deleted");
            export.remove(&name)?;
        }
    }
    Ok(())
}

/// Deletes what processes that died have left of any book; what living ones work on has their lock.
pub(crate) fn delete_all_leftovers(export: &Dir) -> Result<(), LtpError> {
    let temporary = export.names()?;
    let of_books = temporary.iter().filter_map(|name| book_of(name));
    let locked = export.make_or_open(LOCKS)?.names()?;
    let locked = locked.iter().map(String::as_str);
    for id in of_books.chain(locked) {
        let done = BookId::new(id)
            .and_then(|id| Lock::attempt(export, id.as_str()))
            .and_then(|lock| lock.map_or(Ok(()), |lock| delete_leftovers(export, id, &lock)));
        if let Err(error) = done {
            tracing::warn!("what a process that died has left stays: {error}");
        }
    }
    Ok(())
}

/// Whether the file system can do what replacing a package needs.
pub(crate) fn try_exchange(export: &Dir) -> Result<(), LtpError> {
    let id = format!("probe-{}", random());
    let Some(lock) = Lock::attempt(export, &id)? else {
        return Ok(());
    };
    let one = Temporary::new(export, &id, &lock)?;
    let other = Temporary::new(export, &id, &lock)?;
    one.rename(&other.name, RenameFlags::EXCHANGE)
        .map_err(|errno| LtpError::NoExchange {
            path: export.path().to_owned(),
            errno,
        })
}

fn temporary_name(id: &str) -> String {
    format!("{TEMPORARY}{}-{id}", random())
}

fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(RANDOM)
        .collect()
}

/// The state's name stays readable, unless it is so long that it could not be made longer.
fn set_aside_name(name: &str, id: &BookId) -> String {
    let shown = if name.len() > LONGEST_SHOWN {
        id.as_str()
    } else {
        name
    };
    format!("{SET_ASIDE}{}-{shown}", random())
}

/// Which book a temporary name belongs to; none if the name is not of our making.
fn book_of(name: &str) -> Option<&str> {
    let (random, id) = name.strip_prefix(TEMPORARY)?.split_once('-')?;
    (random.len() == RANDOM && BookId::new(id).is_ok()).then_some(id)
}

/// Deletes what is of no use any more. That it stays is no failure of the export: the next start tries again.
fn delete(export: &Dir, name: &str) {
    if let Err(error) = export.remove(name) {
        tracing::warn!("a temporary directory stays until the next start: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_leftovers() {
        let name = temporary_name("a-b.c");
        assert_eq!(book_of(&name), Some("a-b.c"));
        for other in [".tmp-1", ".tmp-12345678", ".tmp-12345678-", "x", ".locks"] {
            assert_eq!(book_of(other), None, "{other}");
        }
    }

    /// The archive is quick, and renames the new package before the states of earlier ones are removed: it stays.
    #[test]
    fn a_package_that_is_taken_at_once() {
        let home = tempfile::tempdir().unwrap();
        let export = Dir::open(home.path()).unwrap();
        let id = BookId::new("1").unwrap();
        let lock = Lock::attempt(&export, "1").unwrap().unwrap();
        let earlier = export.make("done_1").unwrap();
        earlier.create("info_1.xml").unwrap();
        let temporary = Temporary::new(&export, "1", &lock).unwrap();
        temporary.dir().create("info_1.xml").unwrap();
        temporary
            .publish("complete_1", |new| {
                let rename = |from, to| export.rename(from, to, RenameFlags::NOREPLACE);
                rename("complete_1", "loading_1").unwrap();
                clear_states(&export, &id, "complete_", new)
            })
            .unwrap();
        drop(lock);
        let mut names = export.names().unwrap();
        names.sort();
        assert_eq!(names, [LOCKS, "loading_1"]);
    }
}
