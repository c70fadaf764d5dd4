//! The `RABBITMQ_...` constants: the table of those with a default, and the naming convention by
//! which a new submodule has its constants without being in any table.

use indexmap::IndexMap;

/// Constants that belong to no submodule, with their defaults. An empty default means "not set".
const GENERAL: [(&str, &str); 20] = [
    ("RABBITMQ_HOST", "127.0.0.1"),
    ("RABBITMQ_PORT", "5672"),
    ("RABBITMQ_USER_NAME", "guest"),
    ("RABBITMQ_USER_PASSWORD", "guest"),
    ("RABBITMQ_USER_PASSWORD_FILE", ""),
    ("RABBITMQ_SCHEME", "amqp"),
    ("RABBITMQ_TLS_CA_FILE", ""),
    ("RABBITMQ_TLS_CERT_FILE", ""),
    ("RABBITMQ_TLS_KEY_FILE", ""),
    ("RABBITMQ_CONNECT_TIMEOUT", "10"),
    ("RABBITMQ_HEARTBEAT", "20"),
    ("RABBITMQ_PUBLISH_TIMEOUT", "30"),
    ("RABBITMQ_PREFETCH", "8"),
    ("RABBITMQ_HANDLER_TIMEOUT", "600"),
    ("RABBITMQ_DRAIN_TIMEOUT", "30"),
    ("RABBITMQ_MAX_REQUEST_SIZE", "134217728"),
    ("RABBITMQ_ANSWER_WITHOUT_UUID", "0"),
    ("RABBITMQ_TRACEBACKS", "1"),
    ("RABBITMQ_MANAGEMENT_URL", ""),
    // Defined by the original and read by nothing: exceptions leave with the output key.
    ("RABBITMQ_ALEPH_EXCEPTION_KEY", "exception"),
];

/// The submodules of E-deposit: `<X>`, virtual host, exchange, input queue.
const SUBMODULES: [(&str, &str, &str, &str); 11] = [
    ("ALEPH", "aleph", "search", "daemon"),
    ("CALIBRE", "calibre", "convert", "daemon"),
    ("FTP", "ftp", "ftp", "daemon"),
    ("ANTIVIRUS", "antivirus", "antivirus", "daemon"),
    ("HARVESTER", "harvester", "harvester", "daemon"),
    ("LTP", "ltp", "ltp", "daemon"),
    ("PDFGEN", "pdfgen", "pdfgen", "daemon"),
    ("DOWNER", "downloader", "downloader", "daemon"),
    ("STORAGE", "storage", "export", "daemon"),
    ("MX2MODS", "marcxml2mods", "export", "daemon"),
    ("ALEPH_LINK_EXPORT", "aleph", "update-links", "updater"),
];

/// Two submodules whose constants are not called as the submodule is.
const ALIASES: [(&str, &str); 2] = [("DOWNLOADER", "DOWNER"), ("MARCXML2MODS", "MX2MODS")];

/// What a submodule's schema constants end in.
const SCHEMA: [&str; 6] = [
    "VIRTUALHOST",
    "EXCHANGE",
    "INPUT_QUEUE",
    "OUTPUT_QUEUE",
    "INPUT_KEY",
    "OUTPUT_KEY",
];

/// General constants that a submodule may have for itself.
const PER_SUBMODULE: [&str; 4] = [
    "PREFETCH",
    "HANDLER_TIMEOUT",
    "DRAIN_TIMEOUT",
    "MAX_REQUEST_SIZE",
];

/// Endings used before release 1.3 and what they became.
const OLD_ENDINGS: [(&str, &str); 4] = [
    ("DAEMON_QUEUE", "INPUT_QUEUE"),
    ("PLONE_QUEUE", "OUTPUT_QUEUE"),
    ("DAEMON_KEY", "INPUT_KEY"),
    ("PLONE_KEY", "OUTPUT_KEY"),
];

/// The name of a submodule's constant: `("ALEPH", "EXCHANGE")` -> `RABBITMQ_ALEPH_EXCHANGE`.
pub(crate) fn name_of(x: &str, ending: &str) -> String {
    format!("RABBITMQ_{x}_{ending}")
}

/// The value of a schema constant that is neither set nor in the table.
pub(crate) fn conventional(x: &str, ending: &str) -> String {
    match ending {
        "INPUT_QUEUE" => "daemon".to_owned(),
        "OUTPUT_QUEUE" => "plone".to_owned(),
        "INPUT_KEY" => "request".to_owned(),
        "OUTPUT_KEY" => "result".to_owned(),
        _ => x.to_ascii_lowercase(),
    }
}

/// All constants with a default, in the order of the documentation.
pub(crate) fn defaults() -> IndexMap<String, String> {
    let general = GENERAL
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let submodules = SUBMODULES
        .iter()
        .flat_map(|&(x, vhost, exchange, input_queue)| {
            SCHEMA.map(|ending| {
                let value = match ending {
                    "VIRTUALHOST" => vhost.to_owned(),
                    "EXCHANGE" => exchange.to_owned(),
                    "INPUT_QUEUE" => input_queue.to_owned(),
                    _ => conventional(x, ending),
                };
                (name_of(x, ending), value)
            })
        });
    general.chain(submodules).collect()
}

/// The `<X>` of the submodules in the table.
pub(crate) fn known_submodules() -> impl Iterator<Item = &'static str> {
    SUBMODULES.iter().map(|(x, ..)| *x)
}

/// The `<X>` of a submodule's name as people use it, aliases included; `None` if no constant's
/// name can be made of it.
pub(crate) fn x_of_submodule(name: &str) -> Option<String> {
    let x = name.to_ascii_uppercase();
    if !is_x(&x) {
        return None;
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == x);
    Some(alias.map_or(x.clone(), |(_, real)| (*real).to_owned()))
}

/// The `<X>` of a constant that follows the naming convention.
pub(crate) fn x_of_constant(name: &str) -> Option<&str> {
    split(name, SCHEMA.iter().chain(&PER_SUBMODULE).copied()).map(|(x, _)| x)
}

/// The `<X>` of a constant by which a submodule that is not in the table is listed. The other endings are too common for
/// that: `RABBITMQ_MY_PREFETCH` may be anything.
pub(crate) fn x_of_virtual_host(name: &str) -> Option<&str> {
    split(name, ["VIRTUALHOST"].into_iter()).map(|(x, _)| x)
}

/// Is this a submodule's constant, in the table or not?
pub(crate) fn follows_convention(name: &str) -> bool {
    x_of_constant(name).is_some()
}

/// The name that a constant should have: for names of before 1.3, and for those that use a
/// submodule's alias.
pub(crate) fn renamed(name: &str) -> Option<String> {
    if let Some((x, ending)) = split(name, OLD_ENDINGS.iter().map(|(old, _)| *old)) {
        let (_, new) = OLD_ENDINGS.iter().find(|(old, _)| *old == ending)?;
        return Some(name_of(x, new));
    }
    let (x, ending) = split(name, SCHEMA.iter().chain(&PER_SUBMODULE).copied())?;
    let (_, real) = ALIASES.iter().find(|(alias, _)| *alias == x)?;
    Some(name_of(real, ending))
}

/// Takes `RABBITMQ_<X>_<ending>` apart.
fn split(name: &str, endings: impl Iterator<Item = &'static str>) -> Option<(&str, &'static str)> {
    let rest = name.strip_prefix("RABBITMQ_")?;
    endings
        .filter_map(|ending| Some((rest.strip_suffix(ending)?.strip_suffix('_')?, ending)))
        .find(|(x, _)| is_x(x))
}

fn is_x(x: &str) -> bool {
    x.starts_with(|c: char| c.is_ascii_uppercase())
        && x.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_six_constants_a_submodule() {
        assert_eq!(defaults().len(), GENERAL.len() + 11 * 6);
        assert_eq!(
            defaults()["RABBITMQ_ALEPH_LINK_EXPORT_INPUT_QUEUE"],
            "updater"
        );
        assert_eq!(defaults()["RABBITMQ_MX2MODS_VIRTUALHOST"], "marcxml2mods");
    }

    #[test]
    fn x_is_all_between_prefix_and_ending() {
        assert_eq!(
            x_of_constant("RABBITMQ_MY_THING_INPUT_KEY"),
            Some("MY_THING")
        );
        assert_eq!(x_of_constant("RABBITMQ_GREETER_PREFETCH"), Some("GREETER"));
        assert_eq!(x_of_virtual_host("RABBITMQ_GREETER_PREFETCH"), None);
        assert_eq!(
            x_of_virtual_host("RABBITMQ_GREETER_VIRTUALHOST"),
            Some("GREETER")
        );
        assert_eq!(x_of_constant("RABBITMQ_PREFETCH"), None);
        assert_eq!(x_of_constant("RABBITMQ__PREFETCH"), None);
        assert_eq!(x_of_constant("RABBITMQ_greeter_PREFETCH"), None);
        assert_eq!(x_of_constant("RABBITMQ_GREETER_HOST"), None);
    }

    #[test]
    fn old_and_alias_names_know_their_successor() {
        let new = |name| renamed(name).unwrap_or_default();
        assert_eq!(
            new("RABBITMQ_ALEPH_DAEMON_QUEUE"),
            "RABBITMQ_ALEPH_INPUT_QUEUE"
        );
        assert_eq!(
            new("RABBITMQ_ALEPH_PLONE_QUEUE"),
            "RABBITMQ_ALEPH_OUTPUT_QUEUE"
        );
        assert_eq!(new("RABBITMQ_FTP_DAEMON_KEY"), "RABBITMQ_FTP_INPUT_KEY");
        assert_eq!(new("RABBITMQ_ALEPH_PLONE_KEY"), "RABBITMQ_ALEPH_OUTPUT_KEY");
        assert_eq!(
            new("RABBITMQ_DOWNLOADER_EXCHANGE"),
            "RABBITMQ_DOWNER_EXCHANGE"
        );
        assert_eq!(renamed("RABBITMQ_ALEPH_EXCHANGE"), None);
    }

    #[test]
    fn names_of_submodules() {
        assert_eq!(x_of_submodule("my_thing").as_deref(), Some("MY_THING"));
        assert_eq!(x_of_submodule("downloader").as_deref(), Some("DOWNER"));
        assert_eq!(x_of_submodule("my-thing"), None);
        assert_eq!(x_of_submodule("7zip"), None);
        assert_eq!(x_of_submodule(""), None);
    }
}
