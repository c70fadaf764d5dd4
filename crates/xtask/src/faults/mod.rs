//! `cargo xtask faults`: a daemon under load while random faults are injected, one after the other, with an account of
//! every request at the end.
//!
//! What is injected is in [`harm`]. Everything is this run's own: the RabbitMQ node, the test daemon, the proxy between
//! them. The seed decides which faults come in which order and for how long; what the machine does meanwhile, it cannot
//! decide.

mod harm;
mod pulse;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use edeposit_testkit::{
    Account, DaemonUnderTest, FaultProxy, Load, LoadPlan, RabbitNode, Schema, Vhost,
};
use serde_json::json;

use crate::cargo::{cargo, run as run_command};
use crate::setup;
use pulse::Pulse;

const DAEMON: &str = "edeposit-test-puppet";
const TOOL: &str = "edeposit_amqp_tool";
const JOURNAL: &str = "EDEPOSIT_PUPPET_JOURNAL";

/// How long each request keeps its handler.
const WORK: Duration = Duration::from_millis(5);
/// How long the load may take to be answered in full when the faults are over.
const AFTERMATH: Duration = Duration::from_secs(600);
/// So many parked answers are brought back at a time: each waits for the broker's disk.
const AT_A_TIME: &str = "1000";

/// What is to be done.
#[derive(clap::Args)]
pub struct Arguments {
    /// How long faults are injected
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,

    /// The seed of the faults; printed, to be given again [default: a random one]
    #[arg(long)]
    seed: Option<u64>,

    /// Leave out faults whose name begins with this, e.g. Daemon; may be repeated
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,

    /// Requests a second
    #[arg(long, default_value_t = 250.0)]
    rate: f64,

    /// Requests at once. With 1 it answers about 100 a second
    #[arg(long, default_value_t = 16)]
    prefetch: u16,
}

/// The world that is harmed. What stands on something else goes before it.
struct World {
    load: Load,
    daemon: DaemonUnderTest,
    proxy: FaultProxy,
    schema: Schema,
    vhost: Vhost,
    node: RabbitNode,
}

/// Runs it; errs if a request is missing.
pub async fn run(arguments: &Arguments) -> Result<()> {
    setup::make()?;
    setup::rabbitmq()?;
    run_command(&mut cargo(&[
        "build",
        "--package",
        "edeposit-tests",
        "--bins",
        "--package",
        TOOL,
    ]))?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    println!(
        "Faults for {} minutes with --seed {seed}.",
        arguments.minutes
    );

    let faults = harm::all(&arguments.without);

    let world = World::new(arguments.rate, arguments.prefetch).await?;
    let mut pulse = Pulse::default();
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(arguments.minutes * 60.0);
    while Instant::now() < end {
        let harm = random
            .choice(&faults)
            .copied()
            .context("no fault is left")?;
        println!("{:6.1} s  {harm}", begun.elapsed().as_secs_f64());
        harm.inflict(&world, &mut random)
            .await
            .with_context(|| format!("{harm} (--seed {seed})"))?;
        pulse.take(&world.daemon, begun.elapsed());
        rest(Duration::from_millis(random.u64(500..3000))).await;
        pulse.take(&world.daemon, begun.elapsed());
    }
    println!(
        "{:6.1} s  all faults are over",
        begun.elapsed().as_secs_f64()
    );
    let account = world.finish(&mut pulse).await?;
    println!("\n{account}\n{pulse}");
    match account.missing + account.unconfirmed {
        0 => Ok(()),
        _ => bail!("requests are missing (--seed {seed})"),
    }
}

impl World {
    async fn new(rate: f64, prefetch: u16) -> Result<Self> {
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
    async fn finish(self, pulse: &mut Pulse) -> Result<Account> {
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

async fn rest(time: Duration) {
    tokio::time::sleep(time).await;
}
