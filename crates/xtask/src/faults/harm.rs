//! The faults, each a short story: something breaks, and after a while it is whole again.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use edeposit_testkit::{Alarm, End, FaultProxy, Hole, Refusal, Way};
use fastrand::Rng;
use rustix::process::Signal;

use super::world::{World, rest};

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// The daemon's connections are cut.
    Cut(End),
    /// One of the daemon's two connections is cut.
    CutOne(End),
    /// One direction of one connection is closed.
    HalfClosed(Way),
    /// Nothing arrives any more in these directions.
    Blackhole(Way),
    /// Nothing arrives on one of the two connections.
    BlackholeOne(Way),
    /// Every byte comes late.
    Delay,
    /// Few bytes a second pass.
    Throttle,
    /// New connections are cut after some bytes, and the old ones now.
    CutEarly(Way, End),
    /// Connections are cut and new ones refused.
    Refused(Refusal),
    /// The load's own connections are cut.
    CutLoad,
    /// The operator closes all connections.
    ClosedByOperator,
    /// RabbitMQ stops and starts in its Erlang machine.
    BrokerStopped,
    /// The Erlang machine is killed and started again.
    BrokerKilled,
    /// The Erlang machine does nothing for a while.
    BrokerFrozen,
    /// Publishing is blocked.
    Blocked(Alarm),
    /// Answers have no way to the output queue.
    Unbound,
    /// The exchange is gone.
    NoExchange,
    /// The daemon is killed and started again.
    DaemonKilled,
    /// The daemon is stopped in order and started again.
    DaemonRestarted,
    /// The daemon does nothing for a while.
    DaemonFrozen,
}

const ALL: [Harm; 29] = [
    Harm::Cut(End::Fin),
    Harm::Cut(End::Reset),
    Harm::CutOne(End::Fin),
    Harm::CutOne(End::Reset),
    Harm::HalfClosed(Way::Up),
    Harm::HalfClosed(Way::Down),
    Harm::Blackhole(Way::Up),
    Harm::Blackhole(Way::Down),
    Harm::Blackhole(Way::Both),
    Harm::BlackholeOne(Way::Up),
    Harm::BlackholeOne(Way::Down),
    Harm::Delay,
    Harm::Throttle,
    Harm::CutEarly(Way::Up, End::Fin),
    Harm::CutEarly(Way::Down, End::Reset),
    Harm::Refused(Refusal::Closed),
    Harm::Refused(Refusal::Reset),
    Harm::CutLoad,
    Harm::ClosedByOperator,
    Harm::BrokerStopped,
    Harm::BrokerKilled,
    Harm::BrokerFrozen,
    Harm::Blocked(Alarm::Memory),
    Harm::Blocked(Alarm::Disk),
    Harm::Unbound,
    Harm::NoExchange,
    Harm::DaemonKilled,
    Harm::DaemonRestarted,
    Harm::DaemonFrozen,
];

/// All faults but those whose names begin with one of these words.
pub(super) fn all(without: &[String]) -> Vec<Harm> {
    let named = |harm: &Harm| {
        let name = harm.to_string();
        without.iter().any(|word| name.starts_with(word.as_str()))
    };
    ALL.into_iter().filter(|harm| !named(harm)).collect()
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Harm {
    /// Breaks it, waits, mends it.
    pub(super) async fn inflict(self, world: &World, random: &mut Rng) -> Result<()> {
        let World {
            node,
            vhost,
            schema,
            daemon,
            proxy,
            load,
        } = world;
        let while_ = Duration::from_millis(random.u64(300..6000));
        match self {
            Harm::Cut(how) => drop(proxy.cut(how)),
            Harm::CutOne(how) => on_one(proxy, random, |one| {
                one.cut(how);
            }),
            Harm::HalfClosed(way) => on_one(proxy, random, |one| one.half_close(way)),
            Harm::Blackhole(way) => {
                proxy.blackhole(way, Hole::Hold);
                rest(while_).await;
                proxy.heal();
            }
            Harm::BlackholeOne(way) => {
                on_one(proxy, random, |one| one.blackhole(way, Hole::Hold));
                rest(while_).await;
                proxy.heal();
            }
            Harm::Delay => {
                proxy.delay(Way::Both, Duration::from_millis(random.u64(50..800)));
                rest(while_).await;
                proxy.heal();
            }
            Harm::Throttle => {
                proxy.throttle(Way::Both, Some(random.u32(2_000..50_000)));
                rest(while_).await;
                proxy.heal();
            }
            Harm::CutEarly(way, how) => {
                proxy.cut_after(way, random.u64(1..4096), how);
                proxy.cut(how);
                rest(while_).await;
                proxy.heal();
                proxy.cut(how);
            }
            Harm::Refused(how) => {
                proxy.refuse(how)?;
                proxy.cut(End::Reset);
                rest(while_).await;
                proxy.accept()?;
            }
            Harm::CutLoad => {
                load.publishing().cut(End::Reset);
                load.reading().cut(End::Reset);
            }
            Harm::ClosedByOperator => drop(vhost.close_all_connections()?),
            Harm::BrokerStopped => {
                node.stop_app()?;
                rest(while_).await;
                node.start_app()?;
            }
            Harm::BrokerKilled => {
                node.kill()?;
                rest(while_).await;
                node.start_again()?;
            }
            Harm::BrokerFrozen => {
                node.freeze()?;
                rest(while_).await;
                node.thaw()?;
            }
            Harm::Blocked(alarm) => {
                node.raise(alarm)?;
                rest(while_).await;
                node.clear(alarm)?;
            }
            Harm::Unbound => {
                vhost
                    .unbind(&schema.output_queue, &schema.exchange, &schema.out_key)
                    .await?;
                rest(while_).await;
                vhost.declare(schema).await?;
            }
            Harm::NoExchange => {
                vhost.delete_exchange(&schema.exchange)?;
                rest(while_).await;
                vhost.declare(schema).await?;
            }
            Harm::DaemonKilled => {
                daemon.signal(Signal::KILL)?;
                rest(while_ / 4).await;
                start(world)?;
            }
            Harm::DaemonRestarted => {
                daemon.restart()?.success()?;
            }
            Harm::DaemonFrozen => {
                daemon.signal(Signal::STOP)?;
                rest(while_).await;
                daemon.signal(Signal::CONT)?;
            }
        }
        Ok(())
    }
}

fn start(world: &World) -> Result<()> {
    let outcome = world.daemon.run(&["start", "--wait"])?;
    match outcome.code {
        Some(0) => Ok(()),
        _ => bail!("the daemon does not start: {}", outcome.stderr),
    }
}

/// Does something to one of the daemon's connections, if there are any.
fn on_one(
    proxy: &FaultProxy,
    random: &mut Rng,
    work: impl FnOnce(&edeposit_testkit::ProxiedConnection),
) {
    let open = proxy.open();
    if let Some(one) = random.choice(&open) {
        work(one);
    }
}
