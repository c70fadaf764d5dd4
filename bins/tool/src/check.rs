//! `--check`: compares a virtual host with the schema of its submodule.
//!
//! Exchanges and queues are asked for over AMQP, which any user of the daemons may do and which
//! counts messages at that moment. AMQP has no question for bindings; they are looked up through
//! the management API, and if that does not help, the report says that they were not checked.

use anyhow::{Result, anyhow};
use edeposit_amqp::options::ExchangeDeclareOptions;
use edeposit_amqp::protocol::AMQPSoftError;
use edeposit_amqp::types::{FieldTable, ShortString};
use edeposit_amqp::{ExchangeKind, quoted, refusal, said};
use edeposit_settings::Submodule;
use serde_json::Value;

use crate::broker::{self, Broker, Depth, Failure, cannot_connect, permit_command};
use crate::context::Context;
use crate::limits::dropping;
use crate::management::Management;
use crate::report::{Finding, Report};
use crate::schema::{Binding, Schema, Shape, dead_letter_name, parked_name};

/// Checks one submodule. An error means that the server itself cannot be asked.
pub async fn check(context: &Context, submodule: &Submodule, shape: Shape) -> Result<Report> {
    let schema = Schema::new(submodule, shape)?;
    let params = broker::params(context, submodule)?;
    let mut report = Report::new(submodule, &params.address());
    let shape = if shape.dead_letter {
        "--create --dead-letter"
    } else {
        "--create"
    };
    let create = context.command(&submodule.name, shape);
    let permit = permit_command(&submodule.vhost, &params.connection.user);

    let vhost = Finding::new("virtual host", &submodule.vhost);
    let link = match edeposit_amqp::connect(&params).await {
        Ok(link) => link,
        Err(error) => {
            match Failure::of(&error) {
                Failure::NoVhost => {
                    report.add(vhost.missing(&create));
                    for finding in unseen(&schema) {
                        report.add(finding.missing(&create));
                    }
                }
                Failure::NoRight => {
                    report.add(vhost.refused(&permit));
                    for finding in unseen(&schema) {
                        report.add(finding);
                    }
                }
                Failure::Connection => return Err(cannot_connect(&params, &error)),
            }
            return Ok(report);
        }
    };
    report.add(vhost.ok());
    let broker = Broker::new(context, submodule, params, link);
    let checked = Check {
        broker: &broker,
        create,
        permit,
    }
    .run(&schema, &mut report)
    .await;
    broker.close().await;
    checked?;
    Ok(report)
}

/// The things in a virtual host that cannot be entered.
fn unseen(schema: &Schema) -> Vec<Finding> {
    let exchanges = schema
        .exchanges
        .iter()
        .map(|name| Finding::new("exchange", name));
    let queues = schema
        .queues
        .iter()
        .map(|queue| Finding::new("queue", &queue.name));
    let bindings = schema.bindings.iter().map(binding_finding);
    exchanges.chain(queues).chain(bindings).collect()
}

struct Check<'a> {
    broker: &'a Broker<'a>,
    /// The command that makes what is missing.
    create: String,
    /// The command that gives the user rights.
    permit: String,
}

impl Check<'_> {
    async fn run(&self, schema: &Schema, report: &mut Report) -> Result<()> {
        for exchange in &schema.exchanges {
            report.add(self.exchange(exchange).await?);
        }
        for queue in &schema.queues {
            report.add(self.queue(&queue.name).await?);
        }
        self.bindings(schema, report).await?;
        let input = &self.broker.submodule.input_queue;
        let dead = dead_letter_name(input);
        let mut aside = vec![parked_name(input)];
        // With --dead-letter it is part of the schema.
        if !schema.queues.iter().any(|queue| queue.name == dead) {
            aside.push(dead);
        }
        for queue in aside {
            report.add(self.set_aside(&queue).await?);
        }
        Ok(())
    }

    async fn exchange(&self, name: &str) -> Result<Finding> {
        let finding = Finding::new("exchange", name);
        // A channel of its own: a refusal closes it.
        let channel = self.broker.channel().await?;
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let asking = channel.exchange_declare(
            ShortString::try_new(name)?,
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        let step = format!("asking for exchange '{name}'");
        Ok(match self.broker.within(&step, asking).await? {
            Ok(()) => finding.ok(),
            Err(error) => self.absent(finding, &error)?,
        })
    }

    async fn queue(&self, name: &str) -> Result<Finding> {
        let finding = Finding::new("queue", name);
        Ok(match self.broker.ask_depth(name).await? {
            Ok(depth) => {
                let finding = finding.depth(depth);
                if name == dead_letter_name(&self.broker.submodule.input_queue) {
                    self.replayable(finding, depth)
                } else if name == self.broker.submodule.input_queue && depth.consumers == 0 {
                    finding.ok().note("is the daemon running?")
                } else {
                    finding.ok()
                }
            }
            Err(error) => self.absent(finding, &error)?,
        })
    }

    /// A queue that is there only when something was set aside.
    async fn set_aside(&self, name: &str) -> Result<Finding> {
        let finding = Finding::new("set aside", name);
        if name.len() > 255 {
            return Ok(finding.none());
        }
        Ok(match self.broker.ask_depth(name).await? {
            Ok(depth) => self.replayable(finding.depth(depth), depth),
            Err(error) if refusal(&error) == Some(AMQPSoftError::NOTFOUND) => finding.none(),
            Err(error) => self.absent(finding, &error)?,
        })
    }

    fn replayable(&self, finding: Finding, depth: Depth) -> Finding {
        if depth.messages == 0 {
            return finding.ok();
        }
        let replay = format!("--replay {}", quoted(&finding.name));
        let name = &self.broker.submodule.name;
        finding
            .ok()
            .run(&self.broker.context.command(name, &replay))
    }

    /// Why a thing was not found.
    fn absent(&self, finding: Finding, error: &edeposit_amqp::Error) -> Result<Finding> {
        match refusal(error) {
            Some(AMQPSoftError::NOTFOUND) => Ok(finding.missing(&self.create)),
            Some(AMQPSoftError::ACCESSREFUSED) => Ok(finding.refused(&self.permit)),
            Some(_) => Ok(finding.unusable(&said(error))),
            None => Err(anyhow!(
                "Can't ask RabbitMQ for {} '{}': {error}",
                finding.kind,
                finding.name
            )),
        }
    }

    /// What only the management API knows.
    async fn bindings(&self, schema: &Schema, report: &mut Report) -> Result<()> {
        let Submodule {
            name,
            vhost,
            input_queue,
            ..
        } = self.broker.submodule;
        let dead = dead_letter_name(input_queue);
        let wants_dead = schema.exchanges.contains(&dead);
        let dead_finding = Finding::new("dead letters", &format!("'{input_queue}' -> {dead}"));
        let bases = self.broker.context.settings.management_urls()?;
        let base = bases.join(", ");
        let asking = async {
            let management = Management::new(&bases, &self.broker.params().connection)?;
            let bindings = management.get(&["bindings", vhost]).await?;
            let mut queues = Vec::new();
            for queue in &schema.queues {
                let found = management.get(&["queues", vhost, &queue.name]).await?;
                queues.push((queue.name.as_str(), found.unwrap_or(Value::Null)));
            }
            let bindings = bindings.ok_or_else(|| anyhow!("it does not know the virtual host"))?;
            Ok::<_, anyhow::Error>((bindings, queues))
        };
        let (bindings, queues) = match asking.await {
            Ok(found) => found,
            Err(error) => {
                schema
                    .bindings
                    .iter()
                    .for_each(|binding| report.add(binding_finding(binding)));
                if wants_dead {
                    report.add(dead_finding);
                }
                report.remark(&format!(
                    "{name}: bindings were not checked; the management API at {base} could not \
                     help: {error:#}."
                ));
                return Ok(());
            }
        };
        let all: &[Value] = bindings.as_array().map_or(&[], Vec::as_slice);
        for binding in &schema.bindings {
            let finding = binding_finding(binding);
            let there = all.iter().any(|one| {
                one["source"] == *binding.exchange
                    && one["destination"] == *binding.queue
                    && one["destination_type"] == "queue"
                    && one["routing_key"] == *binding.key
            });
            report.add(if there {
                finding.ok()
            } else {
                finding.missing(&self.create)
            });
        }
        for (name, queue) in &queues {
            if let Some(dropping) = dropping(queue) {
                report.add(Finding::new("limits", name).lossy(&dropping));
            }
        }
        if wants_dead {
            let input = queues.iter().find(|(name, _)| name == input_queue);
            let queue = input.map_or(&Value::Null, |(_, queue)| queue);
            let there = queue["arguments"]["x-dead-letter-exchange"] == *dead
                || queue["effective_policy_definition"]["dead-letter-exchange"] == *dead;
            report.add(if there {
                dead_finding.ok()
            } else if queue.is_null() {
                dead_finding.missing(&self.create)
            } else {
                // A queue's arguments cannot be changed; a policy does the same.
                dead_finding.missing(&policy_command(vhost, input_queue, &dead))
            });
        }
        Ok(())
    }
}

/// The command that gives an existing queue a dead-letter exchange.
fn policy_command(vhost: &str, queue: &str, dead: &str) -> String {
    let pattern: String = queue
        .chars()
        .flat_map(|c| {
            let special = !c.is_alphanumeric() && c.is_ascii();
            special.then_some('\\').into_iter().chain([c])
        })
        .collect();
    format!(
        "rabbitmqctl set_policy -p {} --apply-to queues {} {} {}",
        quoted(vhost),
        quoted(dead),
        quoted(&format!("^{pattern}$")),
        quoted(&serde_json::json!({"dead-letter-exchange": dead}).to_string())
    )
}

fn binding_finding(binding: &Binding) -> Finding {
    let Binding {
        exchange,
        key,
        queue,
    } = binding;
    Finding::new("binding", &format!("{exchange}['{key}'] -> '{queue}'"))
}
