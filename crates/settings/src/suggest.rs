//! "Did you mean ...?": the known name nearest to a misspelt one.

/// Longer names are nobody's misspelling of ours, and comparing takes time by the product of both lengths.
const LONGEST: usize = 100;

/// The candidate nearest to `name`, if it is near enough to be what was meant: at most one letter
/// in five differs, and never more than three.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_uppercase();
    let limit = (name.chars().count() / 5).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            let upper = candidate.to_ascii_uppercase();
            (strsim::damerau_levenshtein(&name, &upper), candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["RABBITMQ_HOST", "RABBITMQ_PORT"];
        assert_eq!(nearest("RABBITMQ_HOTS", known), Some("RABBITMQ_HOST"));
        assert_eq!(nearest("rabbitmq_port", known), Some("RABBITMQ_PORT"));
        assert_eq!(nearest("RABBITMQ_TIMEOUT", known), None);
        assert_eq!(nearest(&"RABBITMQ_HOST".repeat(20_000), known), None);
    }
}
