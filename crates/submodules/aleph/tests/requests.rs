//! What is sent to the catalogue, to the letter, and what is made of its good replies.

mod common;

use std::time::{Duration, Instant};

use common::{Reply, Server, error_reply, find_reply, parameter, present_reply};
use edeposit_aleph::messages::{
    AuthorQuery, DocumentQuery, GenericQuery, ICZQuery, ISBNQuery, Loose, ParsedInfo,
    PublisherQuery, Query, TitleQuery,
};
use edeposit_aleph::{AlephError, FoundSet, XServer};

fn title(title: &str, base: Option<&str>) -> Query {
    Query::TitleQuery(TitleQuery {
        title: title.to_owned(),
        base: base.map(str::to_owned),
    })
}

fn generic(field: &str) -> Query {
    Query::GenericQuery(GenericQuery {
        base: None,
        phrase: "x".to_owned(),
        considerSimilar: Loose::Bool(true),
        field: field.to_owned(),
    })
}

fn document(doc_id: Loose, library: Option<&str>) -> Query {
    Query::DocumentQuery(DocumentQuery {
        doc_id,
        library: library.map(str::to_owned),
    })
}

/// Answers every search with `records` hits.
fn catalogue(
    set: u64,
    records: u64,
    entries: u64,
) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    move |path| {
        Reply::Xml(if path.starts_with("/X?op=find&") {
            find_reply(set, records, entries)
        } else {
            let entry = parameter(path, "set_entry");
            present_reply(entry, &format!("Kniha {entry}"), "")
        })
    }
}

#[tokio::test]
async fn each_query_has_its_index() {
    let server = Server::start(|_| Reply::Xml(error_reply("find", "empty set"))).await;
    let aleph = server.aleph(|_| {});
    let text = |text: &str| text.to_owned();
    let base = Some(text("cze-dep"));
    let queries = [
        Query::ISBNQuery(ISBNQuery {
            ISBN: text("80-251-0225-4"),
            base: None,
        }),
        Query::AuthorQuery(AuthorQuery {
            author: text("Čapek, Karel"),
            base: base.clone(),
        }),
        Query::PublisherQuery(PublisherQuery {
            publisher: text("Plást"),
            base: None,
        }),
        title("Žlutá včela", None),
        Query::ICZQuery(ICZQuery {
            icz: text("nkc20240001234"),
            base,
        }),
        generic("WTL"),
    ];
    for query in &queries {
        assert!(aleph.search(query).await.unwrap().records.is_empty());
        assert_eq!(aleph.count(query).await.unwrap(), 0);
    }
    let expected = [
        "/X?op=find&request=sbn=80-251-0225-4&base=nkc",
        "/X?op=find&request=wau=%C4%8Capek%2C+Karel&base=cze-dep",
        "/X?op=find&request=wpb=Pl%C3%A1st&base=nkc",
        "/X?op=find&request=wtl=%C5%BDlut%C3%A1+v%C4%8Dela&base=nkc",
        "/X?op=find&request=icz=nkc20240001234&base=cze-dep",
        "/X?op=find&request=WTL=x&base=nkc",
    ];
    let twice: Vec<_> = expected.iter().flat_map(|path| [*path, *path]).collect();
    assert_eq!(server.paths(), twice);
    let head = &server.heads()[0];
    assert!(
        head.to_lowercase()
            .contains("\r\nuser-agent: edeposit-aleph/"),
        "{head}"
    );
}

#[tokio::test]
async fn a_search_fetches_thirty_of_4998_over_one_connection() {
    let server = Server::start(catalogue(42, 4998, 2500)).await;
    let aleph = server.aleph(|_| {});
    let result = aleph.search(&title("kniha", None)).await.unwrap();

    let mut expected = vec!["/X?op=find&request=wtl=kniha&base=nkc".to_owned()];
    expected.extend((1..=30).map(|n| format!("/X?op=present&set_number=000042&set_entry={n}")));
    assert_eq!(server.paths(), expected);
    assert_eq!(server.connections(), 1);

    assert_eq!(result.records.len(), 30);
    let record = &result.records[6];
    assert_eq!(
        (record.base.as_deref(), &*record.library),
        (Some("nkc"), "CZE01")
    );
    assert_eq!(record.docNumber, Loose::from("000001007"));
    assert_eq!(record.xml, present_reply(7, "Kniha 7", ""), "byte for byte");
    let Some(ParsedInfo::EPublication(book)) = &record.parsed_info else {
        panic!("{record:?}")
    };
    assert_eq!(book.nazev, Loose::from("Kniha 7"));

    assert_eq!(
        aleph.count(&title("kniha", None)).await.unwrap(),
        2500,
        "what the server would hand out"
    );
    let two = server.aleph(|settings| settings.max_records = 2);
    assert_eq!(
        two.search(&title("kniha", None))
            .await
            .unwrap()
            .records
            .len(),
        2
    );
}

#[tokio::test]
async fn a_reply_without_set_is_an_empty_result() {
    let server =
        Server::start(|_| Reply::Xml("<find><session-id>A</session-id></find>".to_owned())).await;
    let aleph = server.aleph(|_| {});
    assert!(
        aleph
            .search(&title("x", None))
            .await
            .unwrap()
            .records
            .is_empty()
    );
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn a_document_by_number() {
    let server = Server::start(|path| {
        Reply::Xml(
            if path.contains("doc_num=1492461&") || path.contains("doc_num=001492461&") {
                present_reply(1, "Úly", "")
            } else if path.contains("doc_num=7&") {
                present_reply(1, "Úly", "<varfield id=\"DEL\" i1=\" \" i2=\" \"/>\n")
            } else {
                error_reply("find-doc", "Error reading document")
            },
        )
    })
    .await;
    let aleph = server.aleph(|_| {});
    let number = Loose::Number(1_492_461.into());
    let found = aleph
        .search(&document(number.clone(), Some("NKC 01&x")))
        .await
        .unwrap();
    let [record] = &found.records[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (record.base.as_deref(), &*record.library),
        (None, "NKC 01&x")
    );
    assert_eq!(record.docNumber, number, "as it was given");
    let by_text = document("001492461".into(), None);
    assert_eq!(
        aleph.search(&by_text).await.unwrap().records[0].library,
        "CZE01"
    );
    assert_eq!(aleph.count(&by_text).await.unwrap(), 1);

    for (doc_id, text) in [
        (Loose::from("5"), "Error reading document"),
        ("7".into(), "Document was deleted."),
    ] {
        let query = document(doc_id, None);
        let error = aleph.search(&query).await.unwrap_err();
        assert!(
            matches!(&error, AlephError::DocumentNotFound(t) if t == text),
            "{error:?}"
        );
        assert_eq!(aleph.count(&query).await.unwrap(), 0);
    }
    let sent = server.paths();
    assert_eq!(sent[0], "/X?op=find_doc&doc_num=1492461&base=NKC+01%26x");
    assert_eq!(sent[1], "/X?op=find_doc&doc_num=001492461&base=CZE01");

    // none of these may reach the catalogue
    let bad = ["", "12&op=x", "-5", "x"].map(Loose::from);
    for doc_id in bad
        .into_iter()
        .chain([Loose::Null, Loose::List(vec![]), Loose::Bool(true)])
    {
        let error = aleph.search(&document(doc_id, None)).await.unwrap_err();
        assert!(
            matches!(error, AlephError::DocumentNotFound(_)),
            "{error:?}"
        );
    }
    assert_eq!(server.paths().len(), sent.len());
}

#[tokio::test]
async fn the_operations_no_message_uses() {
    let marcxml =
        "<ill-get-doc>\n<record xmlns=\"http://www.loc.gov/MARC21/slim/\"/>\n</ill-get-doc>\n";
    let server = Server::start(move |path| {
        Reply::Xml(if path.starts_with("/X?op=ill_get_set&set_number=000042") {
            "<ill-get-set>\n<doc-number>002475050</doc-number>\n<doc-number>002475051</doc-number>\n\
             <no-docs>000000002</no-docs>\n<set-library>NKC01</set-library>\n</ill-get-set>"
                .to_owned()
        } else if path.starts_with("/X?op=ill_get_set") {
            error_reply("ill-get-set", "no such set")
        } else if path.ends_with("library=nope") {
            error_reply("login", "library unknown")
        } else if path.contains("doc_number=9&") {
            error_reply("ill-get-doc", "Error retrieving document")
        } else {
            marcxml.to_owned()
        })
    })
    .await;
    let client = XServer::new(&server.settings(|_| {})).unwrap();
    let set = FoundSet {
        number: 42,
        records: 2,
        entries: 2,
    };
    assert_eq!(
        client.ill_get_set(set, 2).await.unwrap(),
        ["002475050", "002475051"]
    );
    let unknown = client.ill_get_set(FoundSet { number: 43, ..set }, 2).await;
    assert!(matches!(unknown, Err(AlephError::Server(text)) if text == "no such set"));
    assert_eq!(client.ill_get_doc("12", "NKC01").await.unwrap(), marcxml);
    assert!(matches!(
        client.ill_get_doc("12", "nope").await,
        Err(AlephError::LibraryNotFound(_))
    ));
    assert!(matches!(
        client.ill_get_doc("9", "NKC01").await,
        Err(AlephError::DocumentNotFound(_))
    ));
    assert!(matches!(
        client.ill_get_doc("1&2", "NKC01").await,
        Err(AlephError::DocumentNotFound(_))
    ));
    let sent = server.paths();
    assert_eq!(
        sent[0],
        "/X?op=ill_get_set&set_number=000042&start_point=1&no_docs=2"
    );
    assert_eq!(sent[2], "/X?op=ill_get_doc&doc_number=12&library=NKC01");
    assert_eq!(sent.len(), 5);
}

#[tokio::test]
async fn the_pace_is_kept_by_all_searches_together() {
    let server = Server::start(catalogue(1, 4, 4)).await;
    let aleph = server.aleph(|settings| settings.max_requests_per_second = 20.try_into().unwrap());
    let started = Instant::now();
    let (query, other) = (title("a", None), title("b", None));
    let (first, second) = tokio::join!(aleph.search(&query), aleph.search(&other));
    assert_eq!(
        (first.unwrap().records.len(), second.unwrap().records.len()),
        (4, 4)
    );
    // Ten requests: nine intervals of 1/20 second at least. A busy machine makes it longer, never shorter.
    assert!(
        started.elapsed() >= Duration::from_millis(450),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn an_unknown_index_is_not_asked_for() {
    let server = Server::start(|_| Reply::Xml(error_reply("find", "empty set"))).await;
    let aleph = server.aleph(|_| {});
    let error = aleph.search(&generic("nope")).await.unwrap_err();
    assert_eq!(error.to_string(), "Unknown field 'nope'!");
    assert!(aleph.count(&generic("wtl=a&x")).await.is_err());
    assert!(server.paths().is_empty());
}
