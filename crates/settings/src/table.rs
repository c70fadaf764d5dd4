//! The `RABBITMQ_...` constants: the table of those with a default, and the naming convention by
//! which a new submodule has its constants without being in any table.

use crate::Setting;

/// Seconds that a wait for the server may be set to.
const WAIT: std::ops::RangeInclusive<f64> = 0.1..=3600.0;

/// A year: far above any sensible time-out and far below what overflows a clock.
const LONGEST_WAIT: f64 = 31_536_000.0;

/// Constants that belong to no submodule. An empty default means "not set".
pub(crate) static GENERAL: [Setting; 20] = [
    Setting::text(
        "RABBITMQ_HOST",
        "127.0.0.1",
        "name or address of the RabbitMQ server; of several nodes, separated by commas, in the order in which they are \
         tried. A node is a host or `host:port`; an IPv6 address needs brackets if a port follows",
    )
    .may_hold_login(),
    Setting::integer(
        "RABBITMQ_PORT",
        5672,
        1..=65535,
        "the port of nodes that are listed without one; if it is not set, 5671 with `amqps`",
    ),
    Setting::text("RABBITMQ_USER_NAME", "guest", "user"),
    Setting::any_text("RABBITMQ_USER_PASSWORD", "guest", "password").secret(),
    Setting::optional_path("RABBITMQ_USER_PASSWORD_FILE", "",
        "file whose first line is the password",
    ),
    Setting::word("RABBITMQ_SCHEME", "amqp", &["amqp", "amqps"], "`amqps` is TLS"),
    Setting::optional_path("RABBITMQ_TLS_CA_FILE", "",
        "PEM file of the authorities to trust; if it is not set, the system's",
    ),
    Setting::optional_path("RABBITMQ_TLS_CERT_FILE", "",
        "PEM file of the client's certificate chain",
    ),
    Setting::optional_path("RABBITMQ_TLS_KEY_FILE", "",
        "PEM file of the client's private key",
    ),
    Setting::seconds(
        "RABBITMQ_CONNECT_TIMEOUT",
        10.0,
        WAIT,
        "longest time for each step of connecting to a node",
    ),
    Setting::integer(
        "RABBITMQ_HEARTBEAT",
        20,
        1..=65535,
        "time between heartbeats",
    )
    .unit("seconds"),
    Setting::seconds(
        "RABBITMQ_PUBLISH_TIMEOUT",
        30.0,
        WAIT,
        "longest time until the server has confirmed a message",
    ),
    Setting::integer(
        "RABBITMQ_PREFETCH",
        8,
        1..=65535,
        "requests worked on at once; 1 keeps their order",
    ),
    Setting::seconds(
        "RABBITMQ_HANDLER_TIMEOUT",
        600.0,
        0.1..=LONGEST_WAIT,
        "longest time for a request; one that takes longer is answered with `TimeoutError`",
    ),
    Setting::seconds(
        "RABBITMQ_DRAIN_TIMEOUT",
        30.0,
        0.0..=LONGEST_WAIT,
        "time that a stopping daemon gives the requests in hand",
    ),
    Setting::bytes(
        "RABBITMQ_MAX_REQUEST_SIZE",
        134_217_728,
        1..=i64::MAX,
        "largest request; a longer one is answered with an exception",
    ),
    Setting::integer(
        "RABBITMQ_ANSWER_WITHOUT_UUID",
        0,
        0..=1,
        "1: a request without UUID gets the original's exception instead of being dropped",
    ),
    Setting::integer(
        "RABBITMQ_TRACEBACKS",
        1,
        0..=1,
        "0: exceptions are sent without their `traceback` header",
    ),
    Setting::any_text(
        "RABBITMQ_MANAGEMENT_URL",
        "",
        "the server's management API; if it is not set, `http://HOST:15672`, with `amqps` `https://HOST:15671`",
    )
    .may_hold_login(),
    Setting::any_text(
        "RABBITMQ_ALEPH_EXCEPTION_KEY",
        "exception",
        "exceptions leave with the output key",
    )
    .unused(),
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

/// Other names of submodules, in upper case.
pub(crate) fn aliases() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|(alias, _)| *alias)
}

/// What a submodule's schema constants end in. The defaults are those of the convention; without one it is the
/// submodule's name.
pub(crate) static SCHEMA: [Setting; 6] = [
    Setting::text("VIRTUALHOST", "", "virtual host"),
    Setting::text("EXCHANGE", "", "exchange of requests and answers"),
    Setting::text(
        "INPUT_QUEUE",
        "daemon",
        "queue that the daemon reads requests from",
    ),
    Setting::text(
        "OUTPUT_QUEUE",
        "plone",
        "queue that callers read answers from",
    ),
    Setting::text(
        "INPUT_KEY",
        "request",
        "routing key that binds the input queue",
    ),
    Setting::text(
        "OUTPUT_KEY",
        "result",
        "routing key that binds the output queue",
    ),
];

/// General constants that a submodule may have for itself.
pub(crate) const PER_SUBMODULE: [&str; 4] = [
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
    match schema(ending).map(Setting::default_text) {
        Some(default) if !default.is_empty() => default,
        _ => x.to_ascii_lowercase(),
    }
}

/// The schema constant with this ending.
fn schema(ending: &str) -> Option<&'static Setting> {
    SCHEMA.iter().find(|setting| setting.name == ending)
}

/// A constant of [`GENERAL`].
fn general(name: &str) -> Option<&'static Setting> {
    GENERAL.iter().find(|setting| setting.name == name)
}

/// All constants with a default, in the order of the documentation.
pub(crate) fn defaults() -> Vec<(String, String, &'static Setting)> {
    let general = GENERAL
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.default_text(), setting));
    let submodules = SUBMODULES
        .iter()
        .flat_map(|&(x, vhost, exchange, input_queue)| {
            SCHEMA.iter().map(move |setting| {
                let value = match setting.name {
                    "VIRTUALHOST" => vhost.to_owned(),
                    "EXCHANGE" => exchange.to_owned(),
                    "INPUT_QUEUE" => input_queue.to_owned(),
                    ending => conventional(x, ending),
                };
                (name_of(x, setting.name), value, setting)
            })
        });
    general.chain(submodules).collect()
}

/// How a constant is declared, be it in a table or by the naming convention.
pub(crate) fn setting(name: &str) -> Option<&'static Setting> {
    general(name).or_else(|| {
        let (_, ending) = split(name, endings())?;
        schema(ending).or_else(|| general(&format!("RABBITMQ_{ending}")))
    })
}

/// What constants of a submodule end in.
fn endings() -> impl Iterator<Item = &'static str> {
    SCHEMA
        .iter()
        .map(|setting| setting.name)
        .chain(PER_SUBMODULE)
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
    split(name, endings()).map(|(x, _)| x)
}

/// The `<X>` of a constant by which a submodule that is not in the table is listed. The other endings are too common for
/// that: `RABBITMQ_MY_PREFETCH` may be anything.
pub(crate) fn x_of_virtual_host(name: &str) -> Option<&str> {
    split(name, ["VIRTUALHOST"].into_iter()).map(|(x, _)| x)
}

/// The name that a constant should have: for names of before 1.3, and for those that use a
/// submodule's alias.
pub(crate) fn renamed(name: &str) -> Option<String> {
    if let Some((x, ending)) = split(name, OLD_ENDINGS.iter().map(|(old, _)| *old)) {
        let (_, new) = OLD_ENDINGS.iter().find(|(old, _)| *old == ending)?;
        return Some(name_of(x, new));
    }
    let (x, ending) = split(name, endings())?;
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
        let default = |wanted| {
            let all = defaults();
            let (_, value, _) = all.into_iter().find(|(name, ..)| name == wanted).unwrap();
            value
        };
        assert_eq!(default("RABBITMQ_ALEPH_LINK_EXPORT_INPUT_QUEUE"), "updater");
        assert_eq!(default("RABBITMQ_MX2MODS_VIRTUALHOST"), "marcxml2mods");
        assert_eq!(default("RABBITMQ_LTP_OUTPUT_KEY"), "result");
        for setting in &GENERAL {
            assert_eq!(
                setting.problem(&setting.default_text()),
                None,
                "{}",
                setting.name
            );
        }
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
