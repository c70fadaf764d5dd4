//! The way of a request, without a broker.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::attempts::Attempts;
use crate::fingerprint::Key;
use crate::testing::{
    Daemon, Fate, PREFETCH, Published, again, request, request_to, request_without_uuid, work,
};
use crate::{Exception, Sendback};

async fn echo(text: String, _: Sendback) -> Result<String, Exception> {
    Ok(text)
}

/// Counts its executions and answers with the number.
fn counting() -> (Daemon, Arc<AtomicU32>) {
    let executions = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&executions);
    let daemon = Daemon::new(move |_, _| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(number.to_string()) }
    });
    (daemon, executions)
}

/// Answers when it is told to: each execution leaves its sender here.
type Jobs = Arc<Mutex<Vec<oneshot::Sender<String>>>>;

fn waiting() -> (Daemon, Jobs) {
    let jobs = Jobs::default();
    let begun = Arc::clone(&jobs);
    let daemon = Daemon::new(move |_, _| {
        let (end, ended) = oneshot::channel();
        begun.lock().unwrap().push(end);
        async move { Ok(ended.await.unwrap_or_default()) }
    });
    (daemon, jobs)
}

/// Until all that can go on has done so.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_requests_uuid_and_a_key_made_from_its_own() {
    let daemon = Daemon::new(echo);
    let session = daemon.session();
    let settled = daemon.deliver(request("u-1", "hello"), &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    let answer = session.only();
    let (exchange, key, message) = answer.sent();
    assert_eq!((exchange, key), (None, "search.result"));
    assert_eq!(answer.header("UUID").as_deref(), Some("u-1"));
    assert_eq!(
        (answer.text(), answer.exception()),
        ("hello".to_owned(), None)
    );
    assert_eq!(message.content_type, "application/json");
    assert_eq!(message.correlation_id, None);
    assert_eq!(daemon.counters.answered.get(), 1);
    assert_eq!(daemon.counters.in_flight.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_where_reply_to_says() {
    let daemon = Daemon::new(echo);
    let session = daemon.session();
    let request = request_to("my.answers", "c-1", "hello");
    daemon.deliver(request, &session).await.unwrap();
    let answer = session.only();
    let (exchange, key, message) = answer.sent();
    assert_eq!((exchange, key), (Some(""), "my.answers"));
    let id = message.correlation_id.as_ref().map(|id| id.as_str());
    assert_eq!((id, answer.header("UUID")), (Some("c-1"), None));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_uuid_is_dropped() {
    let (daemon, executions) = counting();
    let session = daemon.session();
    // One that fits into no frame beside the rest is none.
    for request in [
        request_without_uuid("x"),
        request(&"u".repeat(130_000), "x"),
    ] {
        let settled = daemon.deliver(request, &session).await;
        assert_eq!(settled.unwrap(), Settle::Ack);
    }
    assert!(session.published().is_empty());
    assert_eq!(daemon.counters.dropped.get(), 2);
    assert_eq!(executions.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_uuid_is_answered_if_so_set() {
    let daemon = Daemon::with(work(echo), Attempts::unrecorded(), true);
    let session = daemon.session();
    let settled = daemon.deliver(request_without_uuid("what"), &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    let answer = session.only();
    assert_eq!(answer.sent().1, "search.result");
    assert_eq!(answer.exception().as_deref(), Some("ValueError"));
    assert_eq!(answer.header("UUID").as_deref(), Some(""));
    assert_eq!(answer.text(), "what");
    assert_eq!(daemon.counters.exceptions.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handlers_error_is_an_exception_in_headers() {
    let daemon = Daemon::new(async |_, _| Err(Exception::key_error("klíč")));
    let session = daemon.session();
    daemon.deliver(request("u", ""), &session).await.unwrap();
    let answer = session.only();
    for (header, value) in [
        ("exception", "klíč"),
        ("exception_name", "KeyError"),
        ("exception_type", "<type 'exceptions.KeyError'>"),
        ("UUID", "u"),
    ] {
        assert_eq!(answer.header(header).as_deref(), Some(value));
    }
    assert_eq!(daemon.counters.exceptions.get(), 1);
    let names: Vec<_> = daemon.counters.names.all().collect();
    assert_eq!(names, [("KeyError", 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_queue_takes_is_parked() {
    for fate in [Fate::Returned, Fate::Refused] {
        let daemon = Daemon::new(echo);
        let session = daemon.session();
        session.next([fate]);
        let settled = daemon.deliver(request("u", "good"), &session).await;
        assert_eq!(settled.unwrap(), Settle::Ack);
        let published = session.published();
        let [
            _,
            Published::ParkedAnswer {
                exchange,
                key,
                message,
                reason,
            },
        ] = &published[..]
        else {
            panic!("{published:?}");
        };
        assert_eq!((exchange, key.as_str()), (&None, "search.result"));
        assert_eq!(message.body, b"good");
        assert!(
            reason.contains("NO_ROUTE") || reason.contains("basic.nack"),
            "{reason}"
        );
        assert_eq!(daemon.counters.parked.get(), 1);
        assert_eq!(daemon.counters.answered.get(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_parked_keeps_its_request_and_is_tried_again() {
    let (daemon, executions) = counting();
    let session = daemon.session();
    let denied = Fate::Denied(403, "ACCESS_REFUSED");
    session.next([
        Fate::Returned,
        denied.clone(),
        Fate::Returned,
        denied,
        Fate::Returned,
        Fate::Confirmed,
    ]);
    let begun = Instant::now();
    let settled = daemon.deliver(request("u", "x"), &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    assert_eq!(begun.elapsed().as_secs(), 2 * KEPT_PAUSE.as_secs());
    assert_eq!(session.published().len(), 6);
    assert_eq!(executions.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_with_the_session_is_sent_in_the_next_from_memory() {
    for fate in [Fate::Lost, Fate::Timeout] {
        let (daemon, executions) = counting();
        let first = daemon.session();
        first.next([fate]);
        let lost = daemon.deliver(request("u", "x"), &first).await;
        assert!(lost.unwrap_err().is_session_lost());
        assert_eq!(daemon.counters.interrupted.get(), 1);
        let second = daemon.session();
        let settled = daemon.deliver(again(request("u", "x")), &second).await;
        assert_eq!(settled.unwrap(), Settle::Ack);
        assert_eq!(second.texts(), ["1"]);
        assert_eq!(executions.load(Ordering::Relaxed), 1);
        assert_eq!(daemon.counters.from_memory.get(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_parked_for_a_lost_session_is_sent_in_the_next() {
    let (daemon, _) = counting();
    let first = daemon.session();
    first.next([Fate::Returned, Fate::Lost]);
    assert!(daemon.deliver(request("u", "x"), &first).await.is_err());
    let second = daemon.session();
    daemon
        .deliver(again(request("u", "x")), &second)
        .await
        .unwrap();
    assert_eq!(second.texts(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_outlives_the_session_that_brought_its_request() {
    let (daemon, jobs) = waiting();
    let first = daemon.session();
    let delivery = daemon.deliver(request("u", "x"), &first);
    // The session ends while the handler works.
    assert!(timeout(Duration::from_secs(5), delivery).await.is_err());
    let second = daemon.session();
    let delivery = daemon.deliver(again(request("u", "x")), &second);
    let ending = async {
        settle().await;
        let job = jobs.lock().unwrap().pop().unwrap();
        job.send("done".to_owned()).unwrap();
    };
    let (settled, ()) = tokio::join!(delivery, ending);
    assert_eq!(settled.unwrap(), Settle::Ack);
    assert_eq!(second.texts(), ["done"]);
    assert!(jobs.lock().unwrap().is_empty(), "carried out twice");
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_only_acknowledged_when_it_comes_again() {
    let (daemon, _) = counting();
    let first = daemon.session();
    daemon.deliver(request("u", "x"), &first).await.unwrap();
    // The acknowledgement is lost with the session.
    let second = daemon.session();
    let settled = daemon.deliver(again(request("u", "x")), &second).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    assert!(second.published().is_empty());
    assert_eq!(daemon.counters.answered_before.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_published_twice_is_carried_out_twice() {
    let (daemon, _) = counting();
    let session = daemon.session();
    for _ in 0..2 {
        daemon.deliver(request("u", "x"), &session).await.unwrap();
    }
    assert_eq!(session.texts(), ["1", "2"]);
    // In another session too, as long as the broker does not say that it was delivered before.
    let session = daemon.session();
    daemon.deliver(request("u", "x"), &session).await.unwrap();
    assert_eq!(session.texts(), ["3"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nothing_is_known_of_is_carried_out_and_told_so() {
    let daemon = Daemon::new(async |_, sendback: Sendback| Ok(sendback.redelivered().to_string()));
    let session = daemon.session();
    daemon
        .deliver(again(request("u", "x")), &session)
        .await
        .unwrap();
    daemon.deliver(request("v", "x"), &session).await.unwrap();
    assert_eq!(session.texts(), ["true", "false"]);
    assert_eq!(daemon.counters.redelivered.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_larger_than_the_broker_takes_is_an_exception_instead() {
    let daemon = Daemon::new(echo);
    let session = daemon.session();
    let too_large = "PRECONDITION_FAILED - message size 9 is larger than configured max size 8";
    session.next([Fate::Denied(406, too_large)]);
    let settled = daemon.deliver(request("u", "much"), &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    let published = session.published();
    assert_eq!(published[0].text(), "much");
    assert_eq!(published[1].exception().as_deref(), Some("OverflowError"));
    let text = published[1].header("exception").unwrap();
    assert!(
        text.contains("answer of 4 bytes") && text.contains(too_large),
        "{text}"
    );
    assert_eq!(daemon.counters.exceptions.get(), 1);
    assert_eq!(daemon.counters.answered.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_address_that_ends_connections_is_dropped() {
    let daemon = Daemon::new(echo);
    let session = daemon.session();
    let denied = Fate::Denied(541, "the address ends the connection");
    session.next([denied.clone(), denied]);
    let request = request_to("amq.rabbitmq.reply-to.made.up", "c", "x");
    let settled = daemon.deliver(request, &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    assert_eq!(daemon.counters.dropped.get(), 1);
    assert_eq!(daemon.counters.answered.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_prefetch_are_at_work_over_all_sessions() {
    let (daemon, jobs) = waiting();
    let mut at_work = 0;
    for number in 0..3 * PREFETCH {
        let session = daemon.session();
        let delivery = daemon.deliver(request(&number.to_string(), "x"), &session);
        // The session ends; its handler, if it has begun, goes on.
        assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
        at_work = jobs.lock().unwrap().len();
        assert!(at_work <= PREFETCH.into());
    }
    assert_eq!(at_work, usize::from(PREFETCH));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_handlers_without_a_delivery_are_counted_and_nothing_more_is_kept() {
    let (daemon, _jobs) = waiting();
    let session = daemon.session();
    for number in ["1", "2"] {
        let delivery = daemon.deliver(request(number, "x"), &session);
        assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
    }
    assert_eq!(daemon.responder.unfinished(), 2);
    daemon.responder.close();
    let delivery = daemon.deliver(request("3", "x"), &session);
    assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
    assert_eq!(
        daemon.responder.unfinished(),
        2,
        "no session comes after this"
    );
}

/// A record of requests in hand, and what the processes before left there.
struct Record {
    dir: tempfile::TempDir,
    key: Key,
}

impl Record {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Attempts::open(&dir.path().join("in-hand"), PREFETCH)
            .unwrap()
            .key();
        Self { dir, key }
    }

    /// So many processes died with this request.
    fn died(self, message: &Message, deaths: u8) -> Self {
        use std::io::Write as _;
        let fingerprint = self.key.fingerprint(message).unwrap();
        let path = self.dir.path().join("in-hand");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        // As of one that was in hand: one more death is found.
        writeln!(file, "{:032x} {:03}", fingerprint.0, deaths - 1).unwrap();
        self
    }

    fn daemon(&self, work: Work) -> Daemon {
        let attempts = Attempts::open(&self.dir.path().join("in-hand"), PREFETCH).unwrap();
        Daemon::with(work, attempts, false)
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_three_processes_died_with_is_set_aside() {
    let poison = again(request("u", "poison"));
    let record = Record::new().died(&poison, LIMIT);
    let daemon = record.daemon(work(echo));
    let session = daemon.session();
    let settled = daemon.deliver(poison, &session).await;
    assert_eq!(settled.unwrap(), Settle::Ack);
    let published = session.published();
    let [
        Published::ParkedRequest {
            body,
            needed,
            reason,
        },
        answer,
    ] = &published[..]
    else {
        panic!("{published:?}");
    };
    assert_eq!((body.as_str(), needed.as_str()), ("poison", "UUID"));
    assert_eq!(reason, "the daemon died 3 times while it was carried out");
    assert_eq!(answer.exception().as_deref(), Some("PoisonMessage"));
    assert_eq!(daemon.counters.poison.get(), 1);
    // The same request, published anew, is another one.
    daemon
        .deliver(request("u", "poison"), &session)
        .await
        .unwrap();
    assert_eq!(session.published()[2].text(), "poison");
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_parked_is_set_aside_all_the_same() {
    let poison = || again(request("u", "poison"));
    let record = Record::new().died(&poison(), LIMIT);
    let daemon = record.daemon(work(echo));
    let session = daemon.session();
    session.next([Fate::Denied(403, "ACCESS_REFUSED")]);
    daemon.deliver(poison(), &session).await.unwrap();
    let answer = &session.published()[1];
    assert_eq!(answer.exception().as_deref(), Some("PoisonMessage"));
    // But not with a session that is lost.
    let session = daemon.session();
    session.next([Fate::Lost]);
    let other = again(request("v", "x"));
    let record = Record::new().died(&other, LIMIT);
    let daemon = record.daemon(work(echo));
    assert!(daemon.deliver(other, &session).await.is_err());
    assert_eq!(session.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_delivered_too_often_is_set_aside() {
    let delivered = |times| {
        let mut message = again(request("u", "x"));
        let mut headers = message.properties.headers().clone().unwrap();
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(times));
        message.properties = message.properties.with_headers(headers);
        message
    };
    let daemon = Daemon::new(echo);
    let session = daemon.session();
    daemon
        .deliver(delivered(MOST_DELIVERIES - 1), &session)
        .await
        .unwrap();
    assert_eq!(session.only().text(), "x");
    daemon
        .deliver(delivered(MOST_DELIVERIES), &session)
        .await
        .unwrap();
    let last = session.published().pop().unwrap();
    assert_eq!(last.exception().as_deref(), Some("PoisonMessage"));
}

#[tokio::test(start_paused = true)]
async fn suspects_are_carried_out_one_at_a_time_beside_the_others() {
    let suspects = || ["1", "2", "3"].map(|uuid| again(request(uuid, uuid)));
    let record = suspects()
        .iter()
        .fold(Record::new(), |record, suspect| record.died(suspect, 1));
    let at_work = Arc::new(Mutex::new(Vec::new()));
    let begun = Arc::clone(&at_work);
    let daemon = record.daemon(work(move |body: String, _| {
        let begun = Arc::clone(&begun);
        async move {
            begun.lock().unwrap().push(body);
            sleep(Duration::from_secs(10)).await;
            Ok(String::new())
        }
    }));
    let session = daemon.session();
    let all = suspects().into_iter().chain([request("4", "4")]);
    let deliveries = all.map(|message| daemon.deliver(message, &session));
    let deliveries = futures::future::join_all(deliveries);
    let watching = async {
        let mut seen = Vec::new();
        for _ in 0..3 {
            settle().await;
            seen.push(std::mem::take(&mut *at_work.lock().unwrap()));
            sleep(Duration::from_secs(10)).await;
        }
        seen
    };
    let (settled, seen) = tokio::join!(deliveries, watching);
    assert!(settled.into_iter().all(|settled| settled.is_ok()));
    assert_eq!(seen, [vec!["1", "4"], vec!["2"], vec!["3"]]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_for_its_turn_ends_with_its_session_and_comes_again() {
    let (daemon, jobs) = waiting();
    let session = daemon.session();
    for number in 0..=PREFETCH {
        let delivery = daemon.deliver(request(&number.to_string(), "x"), &session);
        assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
    }
    let begun: Vec<_> = std::mem::take(&mut *jobs.lock().unwrap());
    assert_eq!(begun.len(), usize::from(PREFETCH));
    for job in begun {
        job.send("done".to_owned()).unwrap();
    }
    let session = daemon.session();
    let last = PREFETCH.to_string();
    let delivery = daemon.deliver(again(request(&last, "x")), &session);
    let ending = async {
        settle().await;
        let job = jobs.lock().unwrap().pop().expect("it was never begun");
        job.send("late".to_owned()).unwrap();
    };
    tokio::join!(delivery, ending).0.unwrap();
    assert_eq!(session.texts(), ["late"]);
}
