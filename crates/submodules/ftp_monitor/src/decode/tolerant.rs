//! A scanner for text that is nearly XML: looks for tags and takes everything else for text.

use super::event::Event;

/// The longest reference that is looked at: `&#x10FFFF;`.
const LONGEST_REFERENCE: usize = 10;

/// Tags and texts, in order. Any text has some.
pub(super) fn scan(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        push_text(&mut events, &rest[..at]);
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("<!--") {
            rest = inner.split_once("-->").map_or("", |(_, after)| after);
        } else if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let (raw, after) = inner.split_once("]]>").unwrap_or((inner, ""));
            events.push(Event::Text(raw.to_owned()));
            rest = after;
        } else {
            let end = end_of_tag(rest);
            let (tag, after) = rest.split_at(end);
            match read_tag(tag) {
                Some(found) => events.extend(found),
                None => push_text(&mut events, tag),
            }
            rest = after;
        }
    }
    push_text(&mut events, rest);
    events
}

fn push_text(events: &mut Vec<Event>, text: &str) {
    if !text.is_empty() {
        events.push(Event::Text(unescape(text)));
    }
}

/// How long the tag is that begins here: up to the first `>` that is not in quotes, or else the first at all.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (None, '>') => return at + 1,
            // another tag begins: this was none
            (None, '<') => return at,
            (None, '"' | '\'') if text[..at].ends_with('=') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            // a quote that is not closed within its line
            (Some(_), '\n') => break,
            _ => {}
        }
    }
    text.find('>').map_or(text.len(), |at| at + 1)
}

fn read_tag(tag: &str) -> Option<Vec<Event>> {
    let inner = tag.strip_prefix('<')?.strip_suffix('>')?;
    if inner.starts_with(['?', '!']) {
        return Some(Vec::new());
    }
    let is_end = inner.starts_with('/');
    let is_empty = inner.ends_with('/');
    let inner = inner.trim_start_matches('/').trim_end_matches('/').trim();
    let name: String = inner
        .chars()
        .take_while(|c| c.is_alphanumeric() || "_-.:".contains(*c))
        .collect();
    if name.is_empty() {
        return None;
    }
    let attributes = &inner[name.len()..];
    let name = name.to_lowercase();
    if is_end {
        return Some(vec![Event::End(name)]);
    }
    let mut events = vec![Event::Start(name.clone(), key(attributes), tag.to_owned())];
    if is_empty {
        events.push(Event::End(name));
    }
    Some(events)
}

/// The value of the attribute `key`.
fn key(attributes: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some(at) = rest.find('=') {
        let name = rest[..at].split_whitespace().last().unwrap_or_default();
        let value = rest[at + 1..].trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        if name.eq_ignore_ascii_case("key") {
            return Some(unescape(value));
        }
        rest = after;
    }
    None
}

/// The character a reference without its `&` and `;` stands for: one of XML's own five, or a number.
pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?).filter(|c| *c != '\0')
        }
    }
}

/// The text with its references replaced; one that stands for nothing stays.
pub(super) fn unescape(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        done.push_str(&rest[..at]);
        let from = &rest[at + 1..];
        let end = from
            .bytes()
            .take(LONGEST_REFERENCE)
            .position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&from[..end])?, end))) {
            Some((c, end)) => {
                done.push(c);
                rest = &from[end + 1..];
            }
            None => {
                done.push('&');
                rest = from;
            }
        }
    }
    done.push_str(rest);
    done
}
