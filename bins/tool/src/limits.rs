//! Limits of a queue, set by a policy or its arguments, that make RabbitMQ throw messages away.

use serde_json::Value;

/// Keys of a policy that drop messages. As an argument of the queue each begins with `x-`.
const DROPPING: [&str; 5] = [
    "message-ttl",
    "expires",
    "max-length",
    "max-length-bytes",
    "delivery-limit",
];

/// What drops messages from this queue, in one line; `queue` is what the management API says of it.
pub fn dropping(queue: &Value) -> Option<String> {
    let policy = &queue["effective_policy_definition"];
    let arguments = &queue["arguments"];
    let set = |key: &str| {
        let argument = &arguments[format!("x-{key}").as_str()];
        [argument, &policy[key]]
            .into_iter()
            .find(|value| !value.is_null())
    };
    // Such a queue refuses what it has no room for, and who publishes is told.
    let refuses = set("overflow")
        .and_then(Value::as_str)
        .is_some_and(|overflow| overflow.starts_with("reject-publish"));
    let limits: Vec<String> = DROPPING
        .into_iter()
        .filter(|key| !(refuses && key.starts_with("max-length")))
        .filter_map(|key| Some(format!("{key} {}", set(key)?)))
        .collect();
    if limits.is_empty() {
        return None;
    }
    let by = match (&queue["policy"], policy.as_object()) {
        (Value::String(policy), _) => format!(" (policy '{policy}')"),
        (_, Some(policy)) if !policy.is_empty() => " (operator policy)".to_owned(),
        _ => String::new(),
    };
    let then = match set("dead-letter-exchange").and_then(Value::as_str) {
        Some(exchange) => format!("moves messages to exchange '{exchange}'"),
        None => "throws messages away".to_owned(),
    };
    Some(format!("{}{by} {then}", limits.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_drops_messages_is_told() {
        for (queue, told) in [
            (json!({}), None),
            (
                json!({"arguments": {"x-queue-type": "quorum"}, "policy": null}),
                None,
            ),
            (
                json!({"arguments": {"x-max-length": 5, "x-overflow": "reject-publish"}}),
                None,
            ),
            (
                json!({"arguments": {"x-max-length": 5}}),
                Some("max-length 5 throws messages away"),
            ),
            (
                json!({"policy": "p", "effective_policy_definition": {"message-ttl": 60000, "expires": 1}}),
                Some("message-ttl 60000, expires 1 (policy 'p') throws messages away"),
            ),
            (
                json!({"policy": "p", "arguments": {}, "effective_policy_definition":
                    {"delivery-limit": 20, "dead-letter-exchange": "daemon.dead"}}),
                Some("delivery-limit 20 (policy 'p') moves messages to exchange 'daemon.dead'"),
            ),
            (
                json!({"arguments": [], "effective_policy_definition": {"max-length": 1}}),
                Some("max-length 1 (operator policy) throws messages away"),
            ),
        ] {
            assert_eq!(dropping(&queue).as_deref(), told, "{queue}");
        }
    }
}
