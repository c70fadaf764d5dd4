//! Paths in the source: those of `use` declarations, and those that stand in the code.

use proc_macro2::TokenTree;

use crate::source::{group, ident, is_colons, is_punct};

/// A path as it is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub segments: Vec<String>,
    pub line: usize,
}

/// A name that a `use` brings in; None: all names of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub name: Option<String>,
    pub path: Written,
    /// `pub use`: for others, and perhaps for nobody here.
    pub is_handed_on: bool,
}

/// The path that begins at a name, and the index after it.
pub fn path_at(tokens: &[TokenTree], begin: usize) -> (Written, usize) {
    let line = tokens[begin].span().start().line;
    let mut segments = Vec::new();
    let mut at = begin;
    while let Some(segment) = ident(tokens, at) {
        segments.push(segment);
        at += 1;
        if !is_colons(tokens, at) || ident(tokens, at + 2).is_none() {
            break;
        }
        at += 2;
    }
    (Written { segments, line }, at)
}

/// The imports of what stands between `use` and `;`.
pub fn imports(tree: &[TokenTree], is_handed_on: bool) -> Vec<Import> {
    let mut found = Vec::new();
    collect(tree, &[], &mut found);
    let import = |(name, path)| Import {
        name,
        path,
        is_handed_on,
    };
    found.into_iter().map(import).collect()
}

type Imported = (Option<String>, Written);

fn collect(tree: &[TokenTree], before: &[String], found: &mut Vec<Imported>) {
    for branch in
        tree.split(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ','))
    {
        // `::name` is another crate's.
        if branch.is_empty() || is_colons(branch, 0) {
            continue;
        }
        let mut segments = before.to_vec();
        let mut at = 0;
        if ident(branch, 0).is_some() {
            let (path, end) = path_at(branch, 0);
            segments.extend(path.segments);
            at = end;
        }
        if is_colons(branch, at) {
            at += 2;
        }
        let line = branch[0].span().start().line;
        if let Some(inner) = group(branch, at) {
            collect(&inner, &segments, found);
            continue;
        }
        let name = if is_punct(branch, at, '*') {
            None
        } else {
            if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                segments.pop();
            }
            let alias = ident(branch, at).filter(|word| word == "as");
            alias
                .and_then(|_| ident(branch, at + 1))
                .or_else(|| segments.last().cloned())
        };
        let path = Written { segments, line };
        found.push((name, path));
    }
}
