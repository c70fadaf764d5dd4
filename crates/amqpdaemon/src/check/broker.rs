//! What a daemon needs of RabbitMQ: to be let in, an exchange and a queue that it can rely on, and the rights to use them.
//!
//! Nothing is changed there, nothing published and nothing consumed; see [`edeposit_amqp::inspect_exchange`] and the functions
//! beside it. Bindings cannot be seen over AMQP.

use std::time::Duration;

use edeposit_amqp::{
    ConnectError, Link, Right, Seen, check_exchange, check_queue, connect, inspect_exchange,
    inspect_queue, may_consume, may_publish, quoted, tool_command,
};

use super::finding::Finding;
use crate::wiring::Wiring;

const ABOUT: &str = "RabbitMQ";

/// How long saying goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Looks at RabbitMQ. `consumes`: whether the daemon has an input queue; `waits`: whether it waits for a broker that is away.
pub(crate) async fn look(wiring: &Wiring, consumes: bool, waits: bool) -> Vec<Finding> {
    let mut look = Look {
        wiring,
        findings: Vec::new(),
    };
    match connect(&wiring.con_params).await {
        Err(error) => look.not_connected(&error, waits),
        Ok(link) => {
            if let Err(error) = look.inside(&link, consumes).await {
                look.not_connected(&error, waits);
            }
            if !link.is_blocked() {
                link.close(CLOSE_LIMIT).await;
            }
        }
    }
    let about = |finding: Finding| finding.about(ABOUT);
    look.findings.into_iter().map(about).collect()
}

struct Look<'a> {
    wiring: &'a Wiring,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn not_connected(&mut self, error: &ConnectError, waits: bool) {
        let text = error.to_string();
        self.add(match error.decisive() {
            _ if waits && error.is_temporary() => {
                Finding::warning(format!("the daemon waits for it: {text}"))
            }
            // The connections of a daemon that runs count too, and are gone before the new one has its own.
            ConnectError::Failed { .. } if text.contains("limit") => Finding::failed_for_now(text),
            _ => Finding::failed_with_command(&text),
        });
    }

    async fn inside(&mut self, link: &Link, consumes: bool) -> Result<(), ConnectError> {
        let params = &self.wiring.con_params;
        self.add(Finding::ok(format!(
            "logged in at {} as user '{}', virtual host '{}'",
            link.node(),
            params.connection.user,
            params.virtualhost
        )));
        let exchange = self.exchange(link).await?;
        if consumes {
            self.queue(link).await?;
        }
        if exchange {
            self.publishing(link).await?;
        }
        Ok(())
    }

    async fn publishing(&mut self, link: &Link) -> Result<(), ConnectError> {
        let (params, exchange) = (&self.wiring.con_params, self.wiring.out_exch.as_str());
        let key = &self.wiring.out_key;
        match may_publish(params, link, exchange, key).await? {
            Right::Yes => {}
            Right::No(said) => self.denied(&format!(
                "user '{}' may not publish to exchange '{exchange}' with key '{key}': {said}",
                params.connection.user
            )),
            Right::Unclear(said) => self.add(Finding::warning(format!(
                "whether user '{}' may publish to exchange '{exchange}' cannot be seen: {said}",
                params.connection.user
            ))),
        }
        Ok(())
    }

    /// Whether it is there.
    async fn exchange(&mut self, link: &Link) -> Result<bool, ConnectError> {
        let (params, exchange) = (&self.wiring.con_params, self.wiring.out_exch.as_str());
        if !self.there(check_exchange(params, link, exchange).await)? {
            return Ok(false);
        }
        let what = format!("exchange '{exchange}'");
        let seen = inspect_exchange(params, link, exchange).await?;
        // rabbitmqctl cannot delete an exchange.
        let delete = "on the page of the management API";
        self.kind(&what, seen, |exchange| exchange.faults(), delete);
        Ok(true)
    }

    async fn queue(&mut self, link: &Link) -> Result<(), ConnectError> {
        let (params, queue) = (&self.wiring.con_params, self.wiring.queue.as_str());
        let channel = link.channel(params).await?;
        let checked = check_queue(params, &channel, queue).await;
        if let Err(error) = &checked
            && error.to_string().contains("RESOURCE_LOCKED")
        {
            self.add(
                Finding::failed(format!(
                    "queue '{queue}' is exclusive: only the connection that declared it may use it, and it goes with that"
                ))
                .next(format!("when it is gone, run: {}", params.create_command())),
            );
            return Ok(());
        }
        if !self.there(checked)? {
            return Ok(());
        }
        let what = format!("queue '{queue}'");
        let seen = inspect_queue(params, link, queue).await?;
        let delete = format!(
            "rabbitmqctl delete_queue -p {} {}",
            quoted(&params.virtualhost),
            quoted(queue)
        );
        self.kind(&what, seen, |queue| queue.faults(), &delete);
        self.add(Finding::ok(format!(
            "bindings cannot be seen over AMQP; {} looks at them",
            tool_command(
                params.settings_file.as_deref(),
                &params.submodule,
                "--check"
            )
        )));

        match may_consume(params, link, queue).await? {
            Right::Yes => {}
            // What starting would fail with.
            Right::No(text) => {
                let refused = ConnectError::AccessRefused {
                    address: params.address(),
                    step: "starting to consume",
                    text,
                };
                self.add(Finding::failed(refused.to_string()).next(permit(self.wiring)));
            }
            Right::Unclear(said) => self.add(Finding::warning(format!(
                "whether user '{}' may consume queue '{queue}' cannot be seen: {said}",
                params.connection.user
            ))),
        }
        Ok(())
    }

    /// Whether a thing is there; a session that fails is an error.
    fn there(&mut self, checked: Result<(), ConnectError>) -> Result<bool, ConnectError> {
        match checked {
            Ok(()) => Ok(true),
            Err(error) if error.is_temporary() => Err(error),
            Err(error) => {
                self.add(Finding::failed_with_command(&error.to_string()));
                Ok(false)
            }
        }
    }

    fn kind<T: std::fmt::Display>(
        &mut self,
        what: &str,
        seen: Seen<T>,
        faults: impl FnOnce(&T) -> Vec<&'static str>,
        delete: &str,
    ) {
        let user = &self.wiring.con_params.connection.user;
        let finding = match seen {
            Seen::Yes(kind) => match faults(&kind) {
                faults if faults.is_empty() => Finding::ok(format!("{what}: {kind}")),
                faults => {
                    let create = self.wiring.con_params.create_command();
                    Finding::failed(format!("{what} is {kind}: {}", faults.join("; "))).next(
                        format!("delete it, with all that is in it ({delete}), then run: {create}"),
                    )
                }
            },
            Seen::NotAllowed => Finding::ok(format!(
                "{what} is there; of what kind it is cannot be seen, as user '{user}' may not configure it"
            )),
            Seen::Unclear(said) => Finding::warning(format!(
                "{what} is there; of what kind it is cannot be seen: {said}"
            )),
        };
        self.add(finding);
    }

    /// Rights are asked for with every message: given later, they help a daemon that runs.
    fn denied(&mut self, text: &str) {
        self.add(Finding::failed_for_now(text).next(permit(self.wiring)));
    }
}

fn permit(wiring: &Wiring) -> String {
    let params = &wiring.con_params;
    format!(
        "run: rabbitmqctl set_permissions -p {} {} '.*' '.*' '.*'",
        quoted(&params.virtualhost),
        quoted(&params.connection.user)
    )
}
