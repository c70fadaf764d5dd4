//! Kinds and rights as RabbitMQ itself tells them.

use anyhow::Result;
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{
    ConnectionParams, ExchangeKind, Link, Right, Seen, connect, get_con_params, inspect_exchange,
    inspect_queue, may_consume, may_publish,
};
use edeposit_settings::{Settings, Sources};
use edeposit_testkit::{RabbitNode, Vhost};
use lapin::Channel;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};

struct World {
    vhost: Vhost,
    /// Declares.
    channel: Channel,
    _connection: lapin::Connection,
    params: ConnectionParams,
    /// Looks.
    link: Link,
}

async fn world(user: Option<(&str, &str)>) -> Result<World> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("inspect")?;
    let mut sources = Sources::none();
    let mut set = |name: &str, value: &str| sources.env.insert(name.to_owned(), value.into());
    set("RABBITMQ_PORT", &node.amqp_port().to_string());
    if let Some((user, configure)) = user {
        node.create_user(user, "secret")?;
        vhost.permit(user, configure, "^(daemon|open)$", "^daemon$")?;
        set("RABBITMQ_USER_NAME", user);
        set("RABBITMQ_USER_PASSWORD", "secret");
    }
    let params = get_con_params(&Settings::load_sources(&sources)?, vhost.name())?;
    let (connection, channel) = vhost.connect().await?;
    let link = connect(&params).await?;
    Ok(World {
        vhost,
        channel,
        _connection: connection,
        params,
        link,
    })
}

impl World {
    async fn exchange(
        &self,
        name: &str,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        arguments: FieldTable,
    ) -> Result<String> {
        self.channel
            .exchange_declare(name.into(), kind, options, arguments)
            .await?;
        let seen = inspect_exchange(&self.params, &self.link, name).await?;
        Ok(match seen {
            Seen::Yes(exchange) => exchange.to_string(),
            other => format!("{other:?}"),
        })
    }

    async fn queue(
        &self,
        name: &str,
        options: QueueDeclareOptions,
        arguments: &[(&str, AMQPValue)],
    ) -> Result<String> {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        self.channel
            .queue_declare(name.into(), options, table)
            .await?;
        let seen = inspect_queue(&self.params, &self.link, name).await?;
        Ok(match seen {
            Seen::Yes(queue) => queue.to_string(),
            other => format!("{other:?}"),
        })
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

#[tokio::test]
async fn exchanges_of_every_kind() -> Result<()> {
    let world = world(None).await?;
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let odd = ExchangeDeclareOptions {
        auto_delete: true,
        internal: true,
        ..ExchangeDeclareOptions::default()
    };
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), text("amq.fanout"));
    for (kind, options, arguments, expected) in [
        (
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
            "topic, durable",
        ),
        (
            ExchangeKind::Direct,
            durable,
            FieldTable::default(),
            "direct, durable",
        ),
        (
            ExchangeKind::Fanout,
            durable,
            FieldTable::default(),
            "fanout, durable",
        ),
        (
            ExchangeKind::Headers,
            durable,
            FieldTable::default(),
            "headers, durable",
        ),
        (
            ExchangeKind::Topic,
            durable,
            alternate.clone(),
            "topic, durable",
        ),
        (
            ExchangeKind::Fanout,
            odd,
            alternate,
            "fanout, not durable, auto-delete, internal",
        ),
    ] {
        let name = expected.replace(", ", "-") + &arguments.inner().len().to_string();
        assert_eq!(
            world.exchange(&name, kind, options, arguments).await?,
            expected
        );
    }
    Ok(())
}

#[tokio::test]
async fn queues_of_every_kind() -> Result<()> {
    let world = world(None).await?;
    let odd = QueueDeclareOptions {
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let long = AMQPValue::LongLongInt;
    let table: [(_, Vec<(&str, AMQPValue)>, _); 7] = [
        (durable(), vec![], "classic, durable"),
        (
            durable(),
            vec![("x-queue-type", text("classic"))],
            "classic, durable",
        ),
        (
            durable(),
            vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", AMQPValue::LongInt(5)),
                ("x-dead-letter-exchange", text("dead")),
                ("x-dead-letter-strategy", text("at-least-once")),
                ("x-overflow", text("reject-publish")),
            ],
            "quorum, durable",
        ),
        (
            durable(),
            vec![
                ("x-queue-type", text("stream")),
                ("x-max-length-bytes", long(1_000_000)),
                ("x-max-age", text("1h")),
            ],
            "stream, durable",
        ),
        (odd, vec![], "classic, not durable, auto-delete"),
        (
            durable(),
            vec![
                ("x-message-ttl", AMQPValue::LongInt(60_000)),
                ("x-expires", AMQPValue::LongUInt(600_000)),
                ("x-max-length", AMQPValue::ShortInt(1000)),
                ("x-max-priority", AMQPValue::ShortShortUInt(5)),
                ("x-single-active-consumer", AMQPValue::Boolean(true)),
                ("x-queue-mode", text("lazy")),
            ],
            "classic, durable",
        ),
        (
            QueueDeclareOptions {
                exclusive: true,
                ..durable()
            },
            vec![],
            "Unclear(\"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q6' in vhost 'VHOST'. It could be \
             originally declared on another connection or the exclusive property value does not match that of the original \
             declaration.\")",
        ),
    ];
    for (number, (options, arguments, expected)) in table.into_iter().enumerate() {
        let expected = expected.replace("VHOST", world.vhost.name());
        let name = format!("q{number}");
        assert_eq!(world.queue(&name, options, &arguments).await?, expected);
    }
    Ok(())
}

/// The user may configure nothing: kinds are not seen, rights are.
#[tokio::test]
async fn rights_show_without_publishing_or_consuming_anything() -> Result<()> {
    let world = world(Some(("inspector", "^$"))).await?;
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let table = FieldTable::default;
    for name in ["open", "closed"] {
        let seen = world
            .exchange(name, ExchangeKind::Fanout, options, table())
            .await?;
        assert_eq!(seen, "NotAllowed");
    }
    for name in ["daemon", "other"] {
        assert_eq!(world.queue(name, durable(), &[]).await?, "NotAllowed");
        world.vhost.bind(name, "open", "request").await?;
    }
    let (params, link) = (&world.params, &world.link);
    // Often: the refusal must not be missed, whenever it comes.
    for _ in 0..100 {
        assert_eq!(may_publish(params, link, "open", "x").await?, Right::Yes);
    }
    let denied = may_publish(params, link, "closed", "x").await?;
    assert!(
        matches!(&denied, Right::No(said) if said.contains("'closed'")),
        "{denied:?}"
    );
    assert_eq!(may_consume(params, link, "daemon").await?, Right::Yes);
    let denied = may_consume(params, link, "other").await?;
    assert!(
        matches!(&denied, Right::No(said) if said.contains("'other'")),
        "{denied:?}"
    );
    for name in ["daemon", "other"] {
        assert_eq!(world.vhost.depth(name).await?, (0, 0), "{name}");
    }
    Ok(())
}
