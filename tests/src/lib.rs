//! What the end-to-end tests share: a world of one virtual host, one daemon and its callers.

mod gate;

use anyhow::{Context, Result};
use edeposit_testkit::xserver::{Catalogue, XServer};
use edeposit_testkit::{Caller, DaemonUnderTest, RabbitNode, Schema, Vhost, wait_until};
use serde_json::{Value, json};

pub use edeposit_testkit::PATIENCE;
pub use gate::Gate;

/// A daemon with a virtual host of its own. Dropping it ends the daemon, then deletes the virtual host.
pub struct World {
    /// The daemon, not started yet.
    pub daemon: DaemonUnderTest,
    /// Its virtual host, with the schema declared.
    pub vhost: Vhost,
    /// The names in it.
    pub schema: Schema,
}

impl World {
    /// A world for the binary `program` of a submodule, named as in the settings (`ALEPH`); `more` are further settings.
    ///
    /// # Errors
    /// No RabbitMQ node, or the program is not built.
    pub async fn new(program: &str, submodule: &str, schema: Schema, more: &Value) -> Result<Self> {
        let vhost = RabbitNode::shared()?.vhost(program)?;
        vhost.declare(&schema).await?;
        let daemon = DaemonUnderTest::new(program)?;
        let mut settings = json!({ (format!("RABBITMQ_{submodule}_EXCHANGE")): schema.exchange });
        if let (Some(settings), Some(more)) = (settings.as_object_mut(), more.as_object()) {
            settings.extend(more.clone());
        }
        daemon.connect_to(&vhost, submodule, &settings)?;
        Ok(Self {
            daemon,
            vhost,
            schema,
        })
    }

    /// alephdaemon, searching the catalogue at `url`.
    ///
    /// # Errors
    /// As [`World::new`].
    pub async fn aleph(url: &str, more: &Value) -> Result<Self> {
        let world = Self::new("edeposit_amqp_alephdaemon", "ALEPH", Schema::aleph(), more).await?;
        world
            .daemon
            .write_settings("aleph.json", &json!({ "ALEPH_URL": url }))?;
        Ok(world)
    }

    /// The test daemon whose handler does what its request says; see `bin/edeposit-test-puppet.rs`.
    ///
    /// # Errors
    /// As [`World::new`].
    pub async fn puppet(more: &Value) -> Result<Self> {
        Self::new(
            "edeposit-test-puppet",
            "PUPPET",
            Schema::new("puppet"),
            more,
        )
        .await
    }

    /// Starts the daemon, which must succeed, and connects a caller.
    ///
    /// # Errors
    /// The daemon does not start.
    pub async fn start(&self) -> Result<Caller> {
        self.daemon
            .start()?
            .success()
            .context("starting the daemon")?;
        self.caller().await
    }

    /// A caller in this world.
    ///
    /// # Errors
    /// RabbitMQ cannot be reached.
    pub async fn caller(&self) -> Result<Caller> {
        Caller::connect(&self.vhost, &self.schema).await
    }
}

/// The double of the library's catalogue, with its built-in records.
///
/// # Errors
/// It cannot be started.
pub fn catalogue() -> Result<XServer> {
    XServer::start(Catalogue::built_in()?)
}

impl World {
    /// Whether the daemon consumes.
    pub async fn consuming(&self) -> bool {
        self.vhost
            .depth(&self.schema.input_queue)
            .await
            .is_ok_and(|(_, consumers)| consumers == 1)
    }

    /// Waits until the daemon consumes.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn until_consuming(&self) -> Result<()> {
        wait_until("the daemon consumes", PATIENCE, async || {
            self.consuming().await
        })
        .await
    }

    /// Waits until so many requests are ready in the input queue: those published and missing there are in hand or settled.
    ///
    /// # Errors
    /// There are not, in time.
    pub async fn until_ready(&self, ready: u32) -> Result<()> {
        let what = format!("{ready} requests in the queue");
        wait_until(&what, PATIENCE, async || {
            self.vhost
                .depth(&self.schema.input_queue)
                .await
                .is_ok_and(|(now, _)| now == ready)
        })
        .await
    }
}
