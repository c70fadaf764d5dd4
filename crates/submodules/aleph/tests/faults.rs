//! A catalogue that fails in every way there is: what the caller is told, and that the client is not taken along.

mod common;

use std::time::Duration;

use common::{Reply, Server, error_reply, find_reply, parameter, present_reply};
use edeposit_aleph::messages::{ISBNQuery, Query};
use edeposit_aleph::{Aleph, SetupError};
use edeposit_amqpdaemon::Exception;

const ALEPH: &str = "<class 'edeposit.amqp.aleph.aleph.AlephException'>";
const URL_ERROR: &str = "<class 'urllib2.URLError'>";

fn query() -> Query {
    Query::ISBNQuery(ISBNQuery {
        ISBN: "80-251-0225-4".to_owned(),
        base: None,
    })
}

async fn failure(aleph: &Aleph) -> Exception {
    aleph.search(&query()).await.unwrap_err().into()
}

/// The exception for a catalogue that answers everything so.
async fn exception(respond: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Exception {
    let server = Server::start(respond).await;
    failure(&server.aleph(|settings| settings.timeout = Duration::from_secs(5))).await
}

fn html(body: &str) -> Reply {
    Reply::Http(
        "200 OK",
        "Content-Type: text/html\r\n".to_owned(),
        body.as_bytes().to_vec(),
    )
}

#[tokio::test]
async fn no_x_server_at_all() {
    for body in [
        "<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Údržba</body></html>",
        "<html><body><br>Out of order</html>",
        "plain text",
    ] {
        let exception = exception(move |_| html(body)).await;
        assert_eq!(exception.kind, ALEPH, "{body}");
        assert_eq!(exception.message, "Aleph didn't returned any information.");
    }
}

#[tokio::test]
async fn error_replies_to_find() {
    let told = exception(|_| {
        Reply::Xml(error_reply(
            "find",
            "Local base &quot;x&quot; does not exist",
        ))
    })
    .await;
    assert_eq!(told.kind, ALEPH);
    assert_eq!(told.message, "Local base \"x\" does not exist");
    assert!(told.body.is_none(), "body and header have the same text");
    for junk in [
        "<find><set_number>abc</set_number></find>",
        "<find><set_number>1</set_number>",
        "<!DOCTYPE find [<!ENTITY a 'b'>]><find><set_number>1</set_number></find>",
    ] {
        let told = exception(move |_| Reply::Xml(junk.to_owned())).await;
        assert_eq!(told.kind, ALEPH);
        assert!(
            told.message
                .starts_with("Aleph's reply to `find` cannot be read: "),
            "{}",
            told.message
        );
    }
    let latin2 =
        b"<?xml version = \"1.0\" encoding = \"UTF-8\"?><find><error>\xbe\xe1dn\xfd</error></find>";
    let told = exception(|_| Reply::Http("200 OK", String::new(), latin2.to_vec())).await;
    assert!(told.message.contains("no UTF-8"), "{}", told.message);
}

#[tokio::test]
async fn http_errors() {
    for (status, message) in [
        ("404 Not Found", "HTTP Error 404: Not Found"),
        ("500 Oops", "HTTP Error 500: Internal Server Error"),
        ("304 Not Modified", "HTTP Error 304: Not Modified"),
    ] {
        let told = exception(move |_| Reply::Http(status, String::new(), vec![])).await;
        assert_eq!(
            (&*told.name, &*told.kind),
            ("HTTPError", "<class 'urllib2.HTTPError'>")
        );
        assert_eq!((&*told.message, told.body_text()), (message, message));
    }
}

#[tokio::test]
async fn connections_that_break() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<find><set_number>0001".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<find>\r\n".to_vec();
    let faults = [
        Box::new(|| Reply::Reset) as Box<dyn Fn() -> Reply + Send + Sync>,
        Box::new(move || Reply::Raw(cut.clone())),
        Box::new(move || Reply::Raw(chunked.clone())),
        Box::new(|| Reply::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        Box::new(|| Reply::Raw(vec![])),
    ];
    for fault in faults {
        let told = exception(move |_| fault()).await;
        assert_eq!(
            (&*told.name, &*told.kind),
            ("URLError", URL_ERROR),
            "{told:?}"
        );
        assert!(told.message.starts_with("<urlopen error "), "{told}");
        assert_eq!(told.body_text(), told.message);
    }
}

#[tokio::test]
async fn nobody_there_and_no_reply() {
    let server = Server::start(|_| Reply::Silence).await;
    let told =
        failure(&server.aleph(|settings| settings.timeout = Duration::from_millis(300))).await;
    assert_eq!(told.message, "<urlopen error timed out>");

    // a port that was free a moment ago
    let nobody =
        server.aleph(|settings| settings.url = "http://user:secret@127.0.0.1:1".to_owned());
    let told = failure(&nobody).await;
    assert_eq!(told.kind, URL_ERROR);
    assert!(told.message.contains("refused"), "{told}");
    assert!(
        !told.traceback_text().contains("secret"),
        "{}",
        told.traceback_text()
    );
}

#[tokio::test]
async fn replies_without_end_are_cut_off() {
    let told = exception(|_| Reply::Blanks(50 << 20)).await;
    assert_eq!(told.kind, URL_ERROR);
    assert!(
        told.message
            .contains("more than 16777216 bytes (ALEPH_MAX_REPLY)"),
        "{told}"
    );
}

#[tokio::test]
async fn redirects_stay_on_the_host() {
    let other = Server::start(|_| Reply::Xml(find_reply(1, 1, 1))).await;
    let elsewhere = other.url.replace("127.0.0.1", "localhost") + "/X";
    for target in [elsewhere, other.url.clone() + "/X"] {
        let told = exception(move |_| redirect(&target)).await;
        assert_eq!(told.kind, URL_ERROR);
        assert!(
            told.message.contains("redirected to another place"),
            "{told}"
        );
    }
    assert!(other.paths().is_empty(), "the other place was not asked");

    let moved = Server::start(|path| match path {
        "/moved" => Reply::Xml(error_reply("find", "empty set")),
        _ => redirect("/moved"),
    })
    .await;
    assert!(
        moved
            .aleph(|_| {})
            .search(&query())
            .await
            .unwrap()
            .records
            .is_empty()
    );
    assert_eq!(moved.paths().len(), 2);

    let told = exception(redirect).await;
    assert!(
        told.message.contains("redirected more than 3 times"),
        "{told}"
    );
}

fn redirect(to: &str) -> Reply {
    Reply::Http("302 Found", format!("Location: {to}\r\n"), vec![])
}

/// One bad record must not cost the others.
#[tokio::test]
async fn deleted_and_unreadable_records_are_left_out() {
    let server = Server::start(|path| {
        if path.starts_with("/X?op=find&") {
            return Reply::Xml(find_reply(1, 6, 6));
        }
        let entry = parameter(path, "set_entry");
        let good = present_reply(entry, "Kniha", "");
        match entry {
            1 => Reply::Xml(good.replace(
                "<fixfield id=\"LDR\">-----nam-a22------a-4500</fixfield>",
                "",
            )),
            2 => Reply::Xml(present_reply(
                2,
                "Kniha",
                "<varfield id=\"DEL\"></varfield>\n",
            )),
            3 => Reply::Xml(good.replace("</subfield>", "")),
            4 => Reply::Xml(
                format!("<!DOCTYPE present [<!ENTITY e 'x'>]>{good}").replace("Kniha", "&e;"),
            ),
            5 => Reply::Http(
                "200 OK",
                String::new(),
                good.replace("Kniha", "\u{17e}")
                    .into_bytes()
                    .into_iter()
                    .map(
                        // Latin-2 under a UTF-8 prolog
                        |byte| if byte >= 0x80 { 0xbe } else { byte },
                    )
                    .collect(),
            ),
            _ => Reply::Xml(good),
        }
    })
    .await;
    let found = server.aleph(|_| {}).search(&query()).await.unwrap();
    let numbers: Vec<_> = found
        .records
        .iter()
        .map(|r| r.docNumber.first_text().unwrap())
        .collect();
    assert_eq!(
        numbers,
        ["000001001", "000001006"],
        "a record without leader is a record"
    );
    assert_eq!(server.paths().len(), 7);
}

/// A catalogue of three hits that hands out the first and answers the next ones so.
async fn after_the_first(
    respond: impl Fn() -> Reply + Send + Sync + 'static,
) -> (&'static str, String) {
    let told = exception(move |path| match path {
        find if find.starts_with("/X?op=find&") => Reply::Xml(find_reply(1, 3, 3)),
        first if first.ends_with("set_entry=1") => Reply::Xml(present_reply(1, "Kniha", "")),
        _ => respond(),
    })
    .await;
    let name = ["HTTPError", "URLError", "AlephException", "ValueError"];
    let name = name.into_iter().find(|name| *name == told.name);
    (name.unwrap_or("?"), told.message)
}

/// But a catalogue that fails is told: a search that lost half its records would look complete.
#[tokio::test]
async fn a_failure_between_records_fails_the_search() {
    let told = after_the_first(|| Reply::Http("500 x", String::new(), vec![])).await;
    assert_eq!(told.0, "HTTPError");
    let no_entry = "There is no entry number: 2 in set number given";
    let told = after_the_first(move || Reply::Xml(error_reply("present", no_entry))).await;
    assert_eq!(told, ("AlephException", no_entry.to_owned()));
    // more levels than a record may have, but it is none
    for page in [
        "<html><body>Údržba</body></html>".to_owned(),
        "<div>".repeat(100),
    ] {
        let (name, message) = after_the_first(move || html(&page)).await;
        assert_eq!(name, "ValueError");
        assert!(message.starts_with("There is no <record>"), "{message}");
    }
    let latin2 = b"<html><body>\xdadr\xbeba</body></html>".to_vec();
    for (body, reason) in [(latin2, "no UTF-8"), (b"\n".to_vec(), "it is empty")] {
        let reply = move || Reply::Http("200 OK", String::new(), body.clone());
        let (name, message) = after_the_first(reply).await;
        assert_eq!(name, "AlephException");
        assert!(message.contains(reason), "{message}");
    }
    let told = after_the_first(|| Reply::Blanks(4 << 20)).await;
    assert_eq!(told.0, "URLError");
    assert!(told.1.contains("more than 2097152 bytes"), "{}", told.1);
}

/// No records is what a caller takes for "no such book": it must not come of hits that could not be read.
#[tokio::test]
async fn no_readable_record_at_all_is_a_failure() {
    let search = async |bad: fn(u64) -> String| {
        let server = Server::start(move |path| {
            Reply::Xml(match path {
                find if find.starts_with("/X?op=find&") => find_reply(1, 2, 2),
                _ => bad(parameter(path, "set_entry")),
            })
        })
        .await;
        server.aleph(|_| {}).search(&query()).await
    };
    let deleted = |entry| present_reply(entry, "Kniha", "<varfield id=\"DEL\"></varfield>\n");
    assert!(search(deleted).await.unwrap().records.is_empty());
    let broken = |entry| match entry {
        1 => present_reply(1, "Kniha", "").replace("</subfield>", ""),
        _ => present_reply(2, "Kniha", "<varfield id=\"DEL\"></varfield>\n"),
    };
    let told = Exception::from(search(broken).await.unwrap_err());
    assert_eq!(told.name, "ValueError");
    let long = |entry| present_reply(entry, &"x".repeat(70_000), "");
    let told = search(long).await.unwrap_err().to_string();
    assert!(told.contains("more than 65536 bytes in a value"), "{told}");
}

#[tokio::test]
async fn hits_that_are_not_counted_are_a_failure() {
    let told = exception(|_| Reply::Xml("<find><set_number>1</set_number></find>".into())).await;
    assert_eq!(told.name, "AlephException");
    assert!(told.message.contains("it has no <no_records>"), "{told}");
    // hits of which none is handed out
    let told = exception(|path| match path {
        find if find.starts_with("/X?op=find&") => Reply::Xml(find_reply(1, 5, 0)),
        _ => Reply::Xml(error_reply("present", "There is no entry number: 1")),
    })
    .await;
    assert_eq!(told.message, "There is no entry number: 1");
}

#[tokio::test]
async fn a_search_gathers_only_so_much() {
    let server = Server::start(|path| {
        Reply::Xml(match path {
            find if find.starts_with("/X?op=find&") => find_reply(1, 100, 100),
            _ => present_reply(1, "Kniha", "") + &" ".repeat(2_000_000),
        })
    })
    .await;
    let aleph = server.aleph(|settings| settings.max_records = 100);
    let told = failure(&aleph).await;
    assert_eq!(told.kind, ALEPH);
    assert!(told.message.contains("more than 67108864 bytes"), "{told}");
    assert!(server.paths().len() < 40, "{}", server.paths().len());
}

/// The catalogue's words go into exceptions and logs.
#[tokio::test]
async fn the_catalogues_words_are_cut() {
    let long = "a\nFORGED ".to_owned() + &"x".repeat(100_000);
    for root in ["find", "present"] {
        let long = long.clone();
        let told = exception(move |path| {
            Reply::Xml(if path.starts_with("/X?op=find&") && root == "present" {
                find_reply(1, 1, 1)
            } else {
                error_reply(root, &long)
            })
        })
        .await;
        assert!(told.message.starts_with("a\\nFORGED xxx"), "{told}");
        assert!(told.message.len() < 510, "{}", told.message.len());
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_catalogue_closed_is_opened_anew() {
    let reply = error_reply("find", "empty set");
    let raw = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{reply}",
        reply.len()
    );
    let server = Server::start(move |_| Reply::Raw(raw.clone().into_bytes())).await;
    let aleph = server.aleph(|_| {});
    for _ in 0..5 {
        aleph.search(&query()).await.unwrap();
    }
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn addresses_that_are_none() {
    let server = Server::start(|_| Reply::Reset).await;
    for url in ["aleph.nkp.cz", "ftp://aleph.nkp.cz", "http://", ""] {
        let settings = server.settings(|settings| settings.url = url.to_owned());
        assert!(matches!(Aleph::new(settings), Err(SetupError::Url(given)) if given == url));
    }
    // a slash at the end does no harm
    let slash = server.aleph(|settings| settings.url += "/");
    assert!(slash.search(&query()).await.is_err());
    assert!(server.paths()[0].starts_with("/X?"));
}
