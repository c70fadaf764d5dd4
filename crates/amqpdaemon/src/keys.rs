//! Routing keys of answers.

/// Where the answer to a request goes: `abc.request` -> `abc.result`, a key without a dot -> the output key.
pub(crate) fn parse_key(request_key: &str, out_key: &str) -> String {
    const LONGEST: usize = 255;
    match request_key.rsplit_once('.') {
        Some((prefix, _)) if prefix.len() + 1 + out_key.len() <= LONGEST => {
            format!("{prefix}.{out_key}")
        }
        _ => out_key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_key_follows_the_request_key() {
        for (request, reply) in [
            ("request", "result"),
            ("abc.request", "abc.result"),
            ("a.b.request", "a.b.result"),
            ("x.y", "x.result"),
            (".", ".result"),
            ("", "result"),
        ] {
            assert_eq!(parse_key(request, "result"), reply, "{request}");
        }
        let longest = format!("{}.y", "x".repeat(253));
        assert_eq!(parse_key(&longest, "result"), "result");
    }
}
