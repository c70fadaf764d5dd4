//! What `--check` found, as a table for people and as JSON for programs.

use edeposit_settings::Submodule;
use serde_json::{Value, json};

use crate::broker::Depth;
use crate::output::counted;

/// What was found out about a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Ok,
    /// It is not there, and need not be.
    None,
    /// It is not there.
    Missing,
    /// The user lacks the right to ask.
    Refused,
    /// It is there, but cannot be used.
    Unusable,
    /// It is there, but loses messages.
    Lossy,
    /// Nothing was found out.
    NotChecked,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::None => "none",
            State::Missing => "missing",
            State::Refused => "no right",
            State::Unusable => "unusable",
            State::Lossy => "lossy",
            State::NotChecked => "not checked",
        }
    }

    fn is_wrong(self) -> bool {
        matches!(
            self,
            State::Missing | State::Refused | State::Unusable | State::Lossy
        )
    }
}

/// A thing, and what was found out about it.
#[derive(Debug)]
pub struct Finding {
    /// `queue`, for example.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What was found out.
    pub state: State,
    depth: Option<Depth>,
    note: Option<String>,
    run: Option<String>,
}

impl Finding {
    /// Nothing is known yet.
    pub fn new(kind: &'static str, name: &str) -> Finding {
        Finding {
            kind,
            name: name.to_owned(),
            state: State::NotChecked,
            depth: None,
            note: None,
            run: None,
        }
    }

    /// It is there.
    pub fn ok(mut self) -> Finding {
        self.state = State::Ok;
        self
    }

    /// It is not there and need not be.
    pub fn none(mut self) -> Finding {
        self.state = State::None;
        self
    }

    /// It is not there; this command makes it.
    pub fn missing(mut self, command: &str) -> Finding {
        self.state = State::Missing;
        self.run(command)
    }

    /// The user may not ask; this command gives the right.
    pub fn refused(mut self, command: &str) -> Finding {
        self.state = State::Refused;
        self.run(command)
    }

    /// It is there but cannot be used, in the broker's words.
    pub fn unusable(mut self, said: &str) -> Finding {
        self.state = State::Unusable;
        self.note(said)
    }

    /// It loses messages, and by what.
    pub fn lossy(mut self, by: &str) -> Finding {
        self.state = State::Lossy;
        self.note(by)
    }

    /// A queue's messages and consumers.
    pub fn depth(mut self, depth: Depth) -> Finding {
        self.depth = Some(depth);
        self
    }

    /// Something worth knowing.
    pub fn note(mut self, note: &str) -> Finding {
        self.note = Some(note.to_owned());
        self
    }

    /// The command that puts it right.
    pub fn run(mut self, command: &str) -> Finding {
        self.run = Some(command.to_owned());
        self
    }

    fn detail(&self) -> String {
        let depth = self.depth.map(|depth| {
            format!(
                "{}, {}",
                counted(depth.messages, "message"),
                counted(depth.consumers, "consumer")
            )
        });
        let run = self.run.as_ref().map(|command| format!("run: {command}"));
        let parts: Vec<String> = [depth, self.note.clone(), run]
            .into_iter()
            .flatten()
            .collect();
        parts.join("; ")
    }

    fn json(&self) -> Value {
        let mut json = json!({"kind": self.kind, "name": self.name, "state": self.state.text()});
        if let Some(depth) = self.depth {
            json["messages"] = json!(depth.messages);
            json["consumers"] = json!(depth.consumers);
        }
        for (name, text) in [("note", &self.note), ("run", &self.run)] {
            if let Some(text) = text {
                json[name] = json!(text);
            }
        }
        json
    }
}

/// All that was found out about a submodule.
#[derive(Debug)]
pub struct Report {
    host: String,
    vhost: String,
    address: String,
    findings: Vec<Finding>,
    remarks: Vec<String>,
}

impl Report {
    /// Nothing was found out yet.
    pub fn new(submodule: &Submodule, address: &str) -> Report {
        Report {
            host: submodule.name.clone(),
            vhost: submodule.vhost.clone(),
            address: address.to_owned(),
            findings: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds a sentence that belongs on standard error.
    pub fn remark(&mut self, remark: &str) {
        self.remarks.push(remark.to_owned());
    }

    /// The sentences for standard error.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Whether nothing is missing.
    pub fn is_ok(&self) -> bool {
        !self.findings.iter().any(|one| one.state.is_wrong())
    }

    /// A table.
    pub fn table(&self) -> String {
        let width = |text: fn(&Finding) -> usize| self.findings.iter().map(text).max().unwrap_or(0);
        let kinds = width(|one| one.kind.chars().count());
        let names = width(|one| one.name.chars().count());
        let states = width(|one| one.state.text().chars().count());
        let mut table = format!(
            "{}: virtual host '{}' at {}\n",
            self.host, self.vhost, self.address
        );
        for one in &self.findings {
            let line = format!(
                "  {:kinds$}  {:names$}  {:states$}  {}",
                one.kind,
                one.name,
                one.state.text(),
                one.detail()
            );
            table += line.trim_end();
            table.push('\n');
        }
        table
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        let findings: Vec<Value> = self.findings.iter().map(Finding::json).collect();
        let json = json!({
            "host": self.host,
            "virtual_host": self.vhost,
            "address": self.address,
            "ok": self.is_ok(),
            "findings": findings,
        });
        format!("{json}\n")
    }
}
