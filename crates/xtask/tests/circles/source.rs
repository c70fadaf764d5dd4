//! One source file as tokens.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};

/// The tokens of a file.
pub fn tokens(file: &Path) -> Result<Vec<TokenTree>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let stream: TokenStream = text
        .parse()
        .map_err(|error| anyhow!("{}: {error}", file.display()))?;
    Ok(stream.into_iter().collect())
}

/// The name that stands here, if one does.
pub fn ident(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at)? {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

/// Whether this sign stands here.
pub fn is_punct(tokens: &[TokenTree], at: usize, sign: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// Whether `::` stands here.
pub fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')
}

/// What stands between the brackets here.
pub fn group(tokens: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    match tokens.get(at)? {
        TokenTree::Group(group) => Some(group.stream().into_iter().collect()),
        _ => None,
    }
}
