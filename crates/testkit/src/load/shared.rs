//! What the publisher of a load and the reader of its answers have in common.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Notify;

use super::ledger::Ledger;
use super::plan::LoadPlan;
use crate::{FaultProxy, Schema, Vhost};

/// How long each step of connecting may take, and how long the broker may keep us waiting for a confirm.
pub(super) const STEP_WITHIN: Duration = Duration::from_secs(10);
/// Pause before connecting again.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How often is looked whether all is done.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What both sides of a load need.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: LoadPlan,
    pub(super) vhost: Vhost,
    pub(super) schema: Schema,
    pub(super) ledger: Ledger,
    pub(super) publishing: FaultProxy,
    pub(super) reading: FaultProxy,
    pub(super) stop: AtomicBool,
    pub(super) over: Notify,
}

impl Shared {
    pub(super) fn url(&self, proxy: &FaultProxy) -> String {
        format!("{}?heartbeat=5", self.vhost.amqp_url_at(proxy.port()))
    }
}
