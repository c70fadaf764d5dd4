//! What can go wrong with a server on the network, and with the records of a catalogue; switched on by the test.

use std::time::Duration;

use super::operations::{Parameters, entry_numbers, operation};

/// One way to fail.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A page of HTML with status 200, as a proxy or a maintenance page has it.
    HtmlPage,
    /// This HTTP status with a page of HTML.
    Status(u16),
    /// The connection is reset instead of an answer.
    Reset,
    /// No answer, ever.
    Silence,
    /// The good answer, this much later.
    Delay(Duration),
    /// The connection is cut in the middle of the body.
    CutBody,
    /// This many blanks as body.
    Blanks(usize),
    /// A redirect to this address.
    Redirect(String),
    /// The record shown has a data field `DEL`.
    DeletedRecord,
    /// The record shown has no leader.
    NoLeader,
    /// `<error>` with this text, in the operation's own root element.
    Error(String),
    /// This body, as it is, with status 200.
    Body(Vec<u8>),
    /// The good answer behind a DTD that declares entities, one of which is used.
    Entities,
    /// The good answer in ISO 8859-2, with a prolog that says UTF-8.
    Latin2,
}

impl Fault {
    /// Fifty megabytes of blanks.
    pub fn fifty_megabytes() -> Fault {
        Fault::Blanks(50_000_000)
    }

    /// The fault at every request, until [`XServer::heal`](super::XServer::heal).
    pub fn always(self) -> FaultRule {
        FaultRule {
            fault: self,
            operation: None,
            entry: None,
            times: None,
        }
    }

    /// The fault at the next request only.
    pub fn once(self) -> FaultRule {
        self.always().times(1)
    }
}

/// A fault and the requests that meet it.
#[derive(Clone, Debug)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<String>,
    entry: Option<usize>,
    times: Option<u32>,
}

impl FaultRule {
    /// Only requests for this operation: `find`, `present`, `find_doc`, `ill_get_set`, `ill_get_doc`.
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only a `present` that asks for this entry, counted from 1.
    pub fn at_entry(mut self, entry: usize) -> Self {
        self.operation = Some("present".to_owned());
        self.entry = Some(entry);
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn applies(&self, parameters: &Parameters) -> bool {
        let right_operation = self
            .operation
            .as_ref()
            .is_none_or(|wanted| *wanted == operation(parameters));
        let right_entry = self.entry.is_none_or(|wanted| {
            parameters
                .get("set_entry")
                .and_then(|entries| entry_numbers(entries))
                .is_some_and(|numbers| numbers.contains(&wanted))
        });
        right_operation && right_entry && self.times != Some(0)
    }
}

/// The fault of the first rule that applies; counts it.
pub(super) fn choose(rules: &mut [FaultRule], parameters: &Parameters) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.applies(parameters))?;
    if let Some(times) = &mut rule.times {
        *times -= 1;
    }
    Some(rule.fault.clone())
}

/// What the fault makes of a record's metadata.
pub(super) fn distort(fault: Option<&Fault>, metadata: &str) -> String {
    match fault {
        Some(Fault::DeletedRecord) => metadata.replace(
            "</oai_marc>",
            "<varfield id=\"DEL\" i1=\" \" i2=\" \">\n<subfield label=\"a\">Y</subfield>\n</varfield>\n</oai_marc>",
        ),
        Some(Fault::NoLeader) => metadata
            .lines()
            .filter(|line| !line.starts_with("<fixfield id=\"LDR\">"))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => metadata.to_owned(),
    }
}
