//! A crate as a tree of modules, and which file uses what of which other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::TokenTree;

use crate::paths::{Import, Written, imports, path_at};
use crate::source::{group, ident, is_colons, is_punct, tokens};

/// How many times a name may be handed on before it is given up; imports may name each other without end.
const MOST_STEPS: usize = 32;

/// Words after which the name of an item stands.
const ITEMS: &[&str] = &[
    "fn", "struct", "enum", "const", "static", "trait", "type", "union",
];

/// One file's use of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub from: PathBuf,
    pub to: PathBuf,
    pub line: usize,
}

/// The modules of a crate; the first is its root.
pub struct Crate {
    modules: Vec<Module>,
}

/// What a path leads to.
enum Named<'a> {
    /// An item, and the file that defines it.
    Item(&'a Path),
    /// A module, which may only hand on what others define.
    Module(usize),
}

struct Module {
    file: PathBuf,
    /// Where the files of its children are.
    dir: PathBuf,
    parent: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Every name that stands in the code, first in a path or alone; not those of `use` declarations.
    names: BTreeSet<String>,
    paths: Vec<Written>,
}

impl Crate {
    /// Reads a crate from its first file on.
    pub fn read(root: &Path) -> Result<Crate> {
        let dir = root.parent().context("the directory of a crate")?;
        let mut modules = Crate {
            modules: Vec::new(),
        };
        let first = modules.add(root.to_path_buf(), dir.to_path_buf(), 0);
        modules.walk(first, &tokens(root)?, true)?;
        Ok(modules)
    }

    fn add(&mut self, file: PathBuf, dir: PathBuf, parent: usize) -> usize {
        self.modules.push(Module {
            file,
            dir,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            names: BTreeSet::new(),
            paths: Vec::new(),
        });
        self.modules.len() - 1
    }

    /// Takes up what stands in a module; `top`: not within one of its items.
    fn walk(&mut self, module: usize, tokens: &[TokenTree], top: bool) -> Result<()> {
        let mut at = 0;
        let mut path_attribute = None;
        while at < tokens.len() {
            if is_punct(tokens, at, '#') {
                at += if is_punct(tokens, at + 1, '!') { 2 } else { 1 };
                let text = tokens.get(at).map(ToString::to_string).unwrap_or_default();
                at += 1;
                if text.replace(' ', "") == "[cfg(test)]" {
                    at = after_item(tokens, at);
                } else if let Some(path) = text.strip_prefix("[path = \"") {
                    path_attribute = path.strip_suffix("\"]").map(str::to_owned);
                }
                continue;
            }
            if let Some(inner) = group(tokens, at) {
                self.walk(module, &inner, false)?;
                at += 1;
                continue;
            }
            let (Some(word), next) = (ident(tokens, at), ident(tokens, at + 1)) else {
                // `::name` is another crate's, and `.name::<T>` a method.
                at += if is_colons(tokens, at) && ident(tokens, at + 2).is_some() {
                    3
                } else {
                    1
                };
                continue;
            };
            match (word.as_str(), next) {
                ("mod", Some(name)) => {
                    let inline = group(tokens, at + 2);
                    self.child(module, name, path_attribute.take(), inline)?;
                    at += 3;
                }
                ("use", _) if !is_punct(tokens, at + 1, '<') => {
                    let end = (at..tokens.len()).find(|&end| is_punct(tokens, end, ';'));
                    let end = end.unwrap_or(tokens.len());
                    let found = imports(&tokens[at + 1..end], is_public(tokens, at));
                    self.modules[module].imports.extend(found);
                    at = end + 1;
                }
                (word, Some(name)) if top && ITEMS.contains(&word) => {
                    self.modules[module].items.insert(name);
                    // A keyword may follow, as in `const fn`.
                    at += 1;
                }
                ("macro_rules", None) => {
                    self.modules[module].items.extend(ident(tokens, at + 2));
                    at += 3;
                }
                _ => {
                    let (path, end) = path_at(tokens, at);
                    self.modules[module]
                        .names
                        .extend(path.segments.first().cloned());
                    if path.segments.len() > 1 {
                        self.modules[module].paths.push(path);
                    }
                    at = end;
                }
            }
        }
        Ok(())
    }

    fn child(
        &mut self,
        module: usize,
        name: String,
        path: Option<String>,
        inline: Option<Vec<TokenTree>>,
    ) -> Result<()> {
        let parent = &self.modules[module];
        let within = parent.dir.join(&name);
        if let Some(inner) = inline {
            let child = self.add(parent.file.clone(), within, module);
            self.modules[module].children.insert(name, child);
            return self.walk(child, &inner, true);
        }
        let (file, dir) = match path {
            Some(path) => {
                let file = parent.file.with_file_name(path);
                (file.clone(), file.with_file_name(""))
            }
            None => {
                let file = within.with_extension("rs");
                let file = if file.exists() {
                    file
                } else {
                    within.join("mod.rs")
                };
                (file, within)
            }
        };
        let child = self.add(file.clone(), dir, module);
        self.modules[module].children.insert(name, child);
        self.walk(child, &tokens(&file)?, true)
    }

    /// What a path names, as seen from a module; None if it is not of this crate.
    fn definition(&self, from: usize, path: &[String], steps: usize) -> Option<Named<'_>> {
        let Some((first, rest)) = path.split_first() else {
            return Some(Named::Module(from));
        };
        let steps = steps.checked_sub(1)?;
        let module = &self.modules[from];
        match first.as_str() {
            "crate" => return self.definition(0, rest, steps),
            "self" => return self.definition(from, rest, steps),
            "super" => return self.definition(module.parent, rest, steps),
            _ => {}
        }
        if let Some(child) = module.children.get(first)
            && let found @ Some(_) = self.definition(*child, rest, steps)
        {
            return found;
        }
        if module.items.contains(first) {
            return Some(Named::Item(&module.file));
        }
        module.imports.iter().find_map(|import| {
            let handed_on = match &import.name {
                Some(name) if name == first => rest,
                None => path,
                Some(_) => return None,
            };
            let whole = [import.path.segments.as_slice(), handed_on].concat();
            self.definition(from, &whole, steps)
        })
    }

    /// Every use that a file of this crate makes of another one.
    pub fn uses(&self) -> BTreeSet<Use> {
        let mut found = BTreeSet::new();
        for (number, module) in self.modules.iter().enumerate() {
            let is_used = |import: &&Import| match &import.name {
                Some(name) => !import.is_handed_on || module.names.contains(name),
                None => !import.is_handed_on,
            };
            let imports = module.imports.iter().filter(is_used);
            let imports = imports.map(|import| (&import.path, import.name.is_none()));
            let paths = module.paths.iter().map(|path| (path, false));
            for (path, all_names) in imports.chain(paths) {
                let file = match self.definition(number, &path.segments, MOST_STEPS) {
                    Some(Named::Item(file)) => file,
                    Some(Named::Module(module)) if all_names => &self.modules[module].file,
                    _ => continue,
                };
                if file != module.file {
                    found.insert(Use {
                        from: module.file.clone(),
                        to: file.to_path_buf(),
                        line: path.line,
                    });
                }
            }
        }
        found
    }
}

/// Whether the word here stands behind `pub` or `pub(...)`.
fn is_public(tokens: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps);
    let is_pub = |at: usize| ident(tokens, at).is_some_and(|word| word == "pub");
    before(1).is_some_and(is_pub)
        || before(1).is_some_and(|at| group(tokens, at).is_some()) && before(2).is_some_and(is_pub)
}

/// The index after the item that begins here, its attributes with it.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while is_punct(tokens, at, '#') {
        at += 2;
    }
    while at < tokens.len() {
        let braces = matches!(&tokens[at], TokenTree::Group(group)
            if group.delimiter() == proc_macro2::Delimiter::Brace);
        at += 1;
        if braces || is_punct(tokens, at - 1, ';') {
            break;
        }
    }
    at
}
