//! The schema as RabbitMQ's definitions, the JSON that `rabbitmqctl import_definitions` and the
//! management pages read.
//!
//! Users and their permissions are not part of it: importing rights of a user that the server does
//! not have would make the whole import fail.

use anyhow::Result;
use edeposit_settings::Submodule;
use serde_json::{Value, json};

use crate::schema::{Schema, Shape};

/// The definitions of these submodules. What several share stands there once.
pub fn definitions(submodules: &[Submodule], shape: Shape) -> Result<Value> {
    let (mut vhosts, mut exchanges) = (Vec::new(), Vec::new());
    let (mut queues, mut bindings) = (Vec::new(), Vec::new());
    for submodule in submodules {
        let schema = Schema::new(submodule, shape)?;
        let vhost = &submodule.vhost;
        add(&mut vhosts, json!({"name": vhost}));
        for name in &schema.exchanges {
            add(
                &mut exchanges,
                json!({
                    "name": name,
                    "vhost": vhost,
                    "type": "topic",
                    "durable": true,
                    "auto_delete": false,
                    "internal": false,
                    "arguments": {},
                }),
            );
        }
        for queue in &schema.queues {
            add(
                &mut queues,
                json!({
                    "name": queue.name,
                    "vhost": vhost,
                    "durable": true,
                    "auto_delete": false,
                    "arguments": queue.json(),
                }),
            );
        }
        for binding in &schema.bindings {
            add(
                &mut bindings,
                json!({
                    "source": binding.exchange,
                    "vhost": vhost,
                    "destination": binding.queue,
                    "destination_type": "queue",
                    "routing_key": binding.key,
                    "arguments": {},
                }),
            );
        }
    }
    Ok(json!({
        "vhosts": vhosts,
        "exchanges": exchanges,
        "queues": queues,
        "bindings": bindings,
    }))
}

fn add(list: &mut Vec<Value>, value: Value) {
    if !list.contains(&value) {
        list.push(value);
    }
}
