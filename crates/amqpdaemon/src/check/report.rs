//! What `check` prints: every setting with its value and where it comes from, then what was found.

use std::fmt::Write;

use edeposit_settings::{Effective, Origin};
use serde::Serialize;
use serde_json::json;

use super::finding::{Finding, Kind};

/// Values are put below each other up to this width.
const WIDEST_VALUE: usize = 36;

/// All that `check` has to say.
pub(crate) struct Report {
    pub(crate) submodule: String,
    pub(crate) files: Vec<File>,
    pub(crate) findings: Vec<Finding>,
}

/// The settings of one file.
pub(crate) struct File {
    /// `amqp.json`
    pub(crate) name: String,
    /// What was read.
    pub(crate) source: Origin,
    pub(crate) settings: Vec<Effective>,
}

impl Report {
    pub(crate) fn is_ok(&self) -> bool {
        self.count(Kind::Failed) == 0
    }

    fn count(&self, kind: Kind) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.kind() == kind).count()
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Named<'a> {
            file: &'a str,
            #[serde(flatten)]
            setting: &'a Effective,
        }
        let settings: Vec<_> = self
            .files
            .iter()
            .flat_map(|file| {
                let file_name = &file.name;
                file.settings.iter().map(move |setting| Named {
                    file: file_name,
                    setting,
                })
            })
            .collect();
        let report = json!({
            "submodule": self.submodule,
            "ok": self.is_ok(),
            "settings": settings,
            "findings": self.findings,
        });
        format!("{report}\n")
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            file.show(&mut text);
        }
        let mut part = None;
        for finding in &self.findings {
            if part.replace(finding.part()) != Some(finding.part()) {
                let _ = writeln!(text, "{}", finding.part());
            }
            let kind = finding.kind().as_str();
            let _ = writeln!(text, "  {kind:<8} {}", finding.line());
        }
        let counted = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            count => Some(format!("{count} {what}s")),
        };
        let counts: Vec<_> = [
            counted(self.count(Kind::Failed), "failure"),
            counted(self.count(Kind::Warning), "warning"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let verdict = match self.is_ok() {
            true => "the daemon can do its work",
            false => "the daemon cannot do its work",
        };
        let _ = match counts.is_empty() {
            true => writeln!(text, "\n{verdict}"),
            false => writeln!(text, "\n{verdict}: {}", counts.join(", ")),
        };
        text
    }
}

impl File {
    fn show(&self, text: &mut String) {
        let _ = match &self.source {
            Origin::File(path) => writeln!(text, "{} ({})", self.name, path.display()),
            _ => writeln!(text, "{} (there is none)", self.name),
        };
        let rows: Vec<_> = self
            .settings
            .iter()
            .map(|setting| (setting.name.as_str(), value(setting), origin(setting)))
            .collect();
        let name_width = rows.iter().map(|(name, ..)| name.len()).max();
        let value_width = rows.iter().map(|(_, value, _)| value.chars().count()).max();
        let name_width = name_width.unwrap_or(0);
        let value_width = value_width.unwrap_or(0).min(WIDEST_VALUE);
        for (name, value, origin) in rows {
            let _ = writeln!(
                text,
                "  {name:<name_width$}  {value:<value_width$}  {origin}"
            );
        }
        text.push('\n');
    }
}

/// The value with its unit, in one line.
fn value(setting: &Effective) -> String {
    if setting.value.is_empty() {
        return "-".to_owned();
    }
    let value = setting.value.escape_debug().to_string();
    // Quotes are as good as any other character here.
    let value = value.replace("\\'", "'").replace("\\\"", "\"");
    match setting.unit {
        "" => value,
        unit => format!("{value} {unit}"),
    }
}

fn origin(setting: &Effective) -> String {
    match &setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::Environment(variable) => format!("environment variable {variable}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use edeposit_settings::{Settings, Sources};

    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        let mut sources = Sources::none();
        let mut set = |name: &str, value: &str| {
            sources.env.insert(name.to_owned(), value.into());
        };
        set("RABBITMQ_USER_PASSWORD", "TopSecret");
        set("RABBITMQ_HEARTBEAT", "30");
        let settings = Settings::load_sources(&sources).unwrap();
        let file = File {
            name: "amqp.json".to_owned(),
            source: settings.source(),
            settings: settings.effective("aleph").unwrap(),
        };
        Report {
            submodule: "aleph".to_owned(),
            files: vec![file],
            findings,
        }
    }

    #[test]
    fn every_value_is_shown_with_its_origin_and_no_secret() {
        let report = report(vec![Finding::ok("logged in").about("RabbitMQ")]);
        assert!(report.is_ok());
        let (text, json) = (report.text(), report.json());
        for shown in [&text, &json] {
            assert!(
                !shown.contains("TopSecret") && shown.contains("***"),
                "{shown}"
            );
        }
        let line = |start: &str| {
            let line = text.lines().find(|line| line.trim().starts_with(start));
            let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
            words.join(" ")
        };
        assert_eq!(
            line("RABBITMQ_HEARTBEAT"),
            "RABBITMQ_HEARTBEAT 30 seconds environment variable RABBITMQ_HEARTBEAT"
        );
        assert_eq!(line("RABBITMQ_PORT"), "RABBITMQ_PORT 5672 default");
        assert_eq!(line("ok"), "ok logged in");
        assert!(text.ends_with("\nthe daemon can do its work\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let setting = json["settings"]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["name"] == "RABBITMQ_HEARTBEAT"))
            .unwrap();
        assert_eq!(
            (&setting["file"], &setting["value"], &setting["unit"]),
            (&json!("amqp.json"), &json!("30"), &json!("seconds"))
        );
        assert_eq!(json["findings"][0]["kind"], "ok");
    }

    #[test]
    fn failures_and_warnings_are_counted() {
        let report = report(vec![
            Finding::failed_for_now("clamd is down").next("start it"),
            Finding::warning("old").about("x"),
            Finding::warning("older").about("x"),
        ]);
        assert!(!report.is_ok());
        let text = report.text();
        assert!(
            text.contains("  failed   clamd is down; start it\nx\n  warning  old\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\nthe daemon cannot do its work: 1 failure, 2 warnings\n"),
            "{text}"
        );
    }
}
