//! One connection through the proxy, and the faults set on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::carry::{Budget, Rules, carry};
use super::fault::{End, Hole, Way};

/// What a connection begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Starting {
    up: Rules,
    down: Rules,
    cut_up: Option<Budget>,
    cut_down: Option<Budget>,
}

impl Starting {
    pub(super) fn change(&mut self, way: Way, change: impl Fn(&mut Rules)) {
        if way.covers(Way::Up) {
            change(&mut self.up);
        }
        if way.covers(Way::Down) {
            change(&mut self.down);
        }
    }

    pub(super) fn cut_after(&mut self, way: Way, bytes: u64, how: End) {
        let budget = Some(Budget { bytes, how });
        self.cut_up = if way.covers(Way::Up) { budget } else { None };
        self.cut_down = if way.covers(Way::Down) { budget } else { None };
    }
}

/// Bytes that have arrived.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
}

impl Counted {
    pub(super) fn bytes(&self, way: Way) -> u64 {
        let count = |one: Way, counter: &AtomicU64| match way.covers(one) {
            true => counter.load(Ordering::Relaxed),
            false => 0,
        };
        count(Way::Up, &self.up) + count(Way::Down, &self.down)
    }
}

/// A connection through a [`FaultProxy`](super::FaultProxy), to be spoiled by itself. May be kept after its end; nothing
/// has an effect then.
#[derive(Clone, Debug)]
pub struct ProxiedConnection(Arc<Control>);

#[derive(Debug)]
struct Control {
    number: usize,
    starting: Starting,
    up: watch::Sender<Rules>,
    down: watch::Sender<Rules>,
    end: watch::Sender<Option<End>>,
    counted: Counted,
}

impl ProxiedConnection {
    pub(super) fn new(number: usize, starting: Starting) -> Self {
        Self(Arc::new(Control {
            number,
            starting,
            up: watch::Sender::new(starting.up),
            down: watch::Sender::new(starting.down),
            end: watch::Sender::new(None),
            counted: Counted::default(),
        }))
    }

    /// Its place in the order in which connections came, from 0.
    pub fn number(&self) -> usize {
        self.0.number
    }

    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.0.end.borrow().is_none()
    }

    /// How many bytes have arrived at the other end.
    pub fn bytes(&self, way: Way) -> u64 {
        self.0.counted.bytes(way)
    }

    /// Ends it. False if it had ended before.
    pub fn cut(&self, how: End) -> bool {
        self.0.end.send_if_modified(|end| {
            let open = end.is_none();
            if open {
                *end = Some(how);
            }
            open
        })
    }

    /// Ends what is sent in one direction: the receiver reads an end of file, the other direction goes on.
    pub fn half_close(&self, way: Way) {
        self.change(way, |rules| rules.half_closed = true);
    }

    /// Lets nothing pass any more; the connection stays open.
    pub fn blackhole(&self, way: Way, hole: Hole) {
        self.change(way, |rules| rules.hole = Some(hole));
    }

    /// Has every byte arrive later by this time.
    pub fn delay(&self, way: Way, delay: Duration) {
        self.change(way, |rules| rules.delay = delay);
    }

    /// Lets so many bytes a second pass; None: as many as can.
    pub fn throttle(&self, way: Way, bytes_per_second: Option<u32>) {
        self.change(way, |rules| rules.rate = bytes_per_second);
    }

    /// Takes back black holes, delays and throttles. What was closed stays closed.
    pub fn heal(&self) {
        self.change(Way::Both, |rules| {
            *rules = Rules {
                half_closed: rules.half_closed,
                ..Rules::default()
            };
        });
    }

    fn change(&self, way: Way, change: impl Fn(&mut Rules)) {
        if way.covers(Way::Up) {
            self.0.up.send_modify(&change);
        }
        if way.covers(Way::Down) {
            self.0.down.send_modify(&change);
        }
    }

    /// Carries bytes between the two until one side ends it or a fault does.
    pub(super) async fn serve(self, mut client: TcpStream, upstream: u16, all: &Counted) {
        let Ok(mut broker) = TcpStream::connect(("127.0.0.1", upstream)).await else {
            self.cut(End::Reset);
            let _ = client.set_zero_linger();
            return;
        };
        for stream in [&client, &broker] {
            let _ = stream.set_nodelay(true);
        }
        let Control {
            starting,
            up,
            down,
            end,
            counted,
            ..
        } = &*self.0;
        let how = {
            let (from_client, to_client) = client.split();
            let (from_broker, to_broker) = broker.split();
            let arrived = |mine: &AtomicU64, sum: &AtomicU64, bytes: usize| {
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                mine.fetch_add(bytes, Ordering::Relaxed);
                sum.fetch_add(bytes, Ordering::Relaxed);
            };
            let going_up = carry(
                from_client,
                to_broker,
                up.subscribe(),
                starting.cut_up,
                |n| {
                    arrived(&counted.up, &all.up, n);
                },
            );
            let going_down = carry(
                from_broker,
                to_client,
                down.subscribe(),
                starting.cut_down,
                |n| arrived(&counted.down, &all.down, n),
            );
            let mut told = end.subscribe();
            tokio::select! {
                biased;
                Ok(how) = told.wait_for(Option::is_some) => how.unwrap_or(End::Fin),
                over = async { tokio::try_join!(going_up, going_down) } => match over {
                    Ok(_) => End::Fin,
                    Err(how) => how,
                },
            }
        };
        self.cut(how);
        for mut stream in [client, broker] {
            match how {
                // Said before the socket is closed: closing one with unread bytes resets it.
                End::Fin => drop(tokio::io::AsyncWriteExt::shutdown(&mut stream).await),
                End::Reset => drop(stream.set_zero_linger()),
            }
        }
    }
}
