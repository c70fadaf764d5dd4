//! What the faults are inflicted on: a broker, a daemon, a proxy between them, and a load.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use edeposit_testkit::{
    Account, DaemonUnderTest, FaultProxy, Load, LoadPlan, RabbitNode, Schema, Vhost,
};
use serde_json::json;

use super::pulse::Pulse;

const DAEMON: &str = "edeposit-test-puppet";
pub(super) const TOOL: &str = "edeposit_amqp_tool";
const JOURNAL: &str = "EDEPOSIT_PUPPET_JOURNAL";

/// How long each request keeps its handler.
const WORK: Duration = Duration::from_millis(5);
/// How long the load may take to be answered in full when the faults are over.
const AFTERMATH: Duration = Duration::from_secs(600);
/// So many parked answers are brought back at a time: each waits for the broker's disk.
const AT_A_TIME: &str = "1000";

/// The world that is harmed. What stands on something else goes before it.
pub(super) struct World {
    pub(super) load: Load,
    pub(super) daemon: DaemonUnderTest,
    pub(super) proxy: FaultProxy,
    pub(super) schema: Schema,
    pub(super) vhost: Vhost,
    pub(super) node: RabbitNode,
}

impl World {
    pub(super) async fn new(rate: f64, prefetch: u16) -> Result<Self> {
        let node = RabbitNode::start()?;
        let vhost = node.vhost("faults")?;
        let schema = Schema::new("puppet");
        vhost.declare(&schema).await?;
        let proxy = FaultProxy::to(node.amqp_port())?;
        let mut daemon = DaemonUnderTest::new(DAEMON)?.without_log();
        let settings = json!({
            "RABBITMQ_PORT": proxy.port(),
            "RABBITMQ_PREFETCH": prefetch,
            // So that what is silent is noticed soon.
            "RABBITMQ_HEARTBEAT": 2,
            "RABBITMQ_CONNECT_TIMEOUT": 3,
            "RABBITMQ_PUBLISH_TIMEOUT": 5,
        });
        daemon.connect_to(&vhost, "PUPPET", &settings)?;
        let journal = daemon.home().join("journal");
        daemon.set_env(JOURNAL, journal.clone());
        daemon.start()?.success()?;
        let plan = LoadPlan::endless().rate(rate).work(WORK).journal(journal);
        let load = plan.start(&vhost, &schema)?;
        Ok(Self {
            node,
            vhost,
            schema,
            daemon,
            proxy,
            load,
        })
    }

    /// Brings parked answers back, and waits until all is answered.
    pub(super) async fn finish(self, pulse: &mut Pulse) -> Result<Account> {
        self.load.stop();
        let parked = format!("{}.parked", self.schema.input_queue);
        let end = Instant::now() + AFTERMATH;
        let mut replayed = 0;
        while Instant::now() < end {
            if let Ok((ready @ 1.., _)) = self.vhost.depth(&parked).await {
                let replay = [
                    "--host", "puppet", "--replay", &parked, "--count", AT_A_TIME,
                ];
                self.daemon.run_other(TOOL, &replay)?.success()?;
                replayed += ready.min(1000);
                continue;
            }
            let account = self.load.account();
            if account.missing + account.unconfirmed == 0 {
                break;
            }
            rest(Duration::from_secs(1)).await;
        }
        println!("Answers that were parked and brought back: {replayed}.");
        let account = self.load.finish(AFTERMATH).await?;
        pulse.take(&self.daemon, account.duration);
        if account.missing + account.unconfirmed > 0 {
            eprintln!("--- the daemon's log\n{}--- end of log", self.daemon.log());
        } else if self.daemon.stop()?.code != Some(0) {
            bail!("the daemon does not end in order:\n{}", self.daemon.log());
        }
        Ok(account)
    }
}

/// Sleeps.
pub(super) async fn rest(time: Duration) {
    tokio::time::sleep(time).await;
}
