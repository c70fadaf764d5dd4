//! What is read out of metadata: keys and values, and the mappings and lists of JSON and YAML they come from.

use super::error::DecodeError;

/// How deep values may be nested.
pub const DEEPEST: usize = 32;

/// Keys and values in the order of the file.
pub type Pairs = Vec<(String, String)>;

/// A value in a metadata file. Numbers are texts, as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Map(Vec<(Node, Node)>),
    List(Vec<Node>),
    Text(String),
    /// null, true, false: what is no text, by Python's name.
    Other(&'static str),
}

impl Node {
    /// Keys and values: of a mapping, of a list of pairs, or of a flat list in which they alternate.
    pub(crate) fn into_pairs(self) -> Result<Pairs, DecodeError> {
        let nodes = match self {
            Self::Map(entries) => entries,
            Self::List(list) => alternating(list)?,
            Self::Text(_) | Self::Other(_) => return Err(DecodeError::UnknownStructure),
        };
        nodes
            .into_iter()
            .map(|(key, value)| {
                let key = key
                    .into_text()
                    .map_err(|name| DecodeError::InvalidType(name.to_owned()))?;
                match value.into_text() {
                    Ok(value) => Ok((key, value)),
                    Err(_) => Err(DecodeError::InvalidType(key)),
                }
            })
            .collect()
    }

    fn into_text(self) -> Result<String, &'static str> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Map(_) => Err("dict"),
            Self::List(_) => Err("list"),
            Self::Other(name) => Err(name),
        }
    }

    fn is_pair(&self) -> bool {
        matches!(self, Self::List(list) if list.len() == 2)
    }
}

fn alternating(list: Vec<Node>) -> Result<Vec<(Node, Node)>, DecodeError> {
    let is_nested = |node: &Node| matches!(node, Node::List(_) | Node::Map(_));
    let flat = if list.iter().all(Node::is_pair) {
        let each = list.into_iter().flat_map(|node| match node {
            Node::List(pair) => pair,
            other => vec![other],
        });
        each.collect()
    } else if list.len().is_multiple_of(2) && !list.iter().any(is_nested) {
        list
    } else {
        return Err(DecodeError::InvalidStructure);
    };
    let mut pairs = Vec::with_capacity(flat.len() / 2);
    let mut rest = flat.into_iter();
    while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}
