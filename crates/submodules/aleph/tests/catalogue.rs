//! Client and X-Server double against each other: the double was written from the catalogue's documented behaviour, not
//! from this client.

use std::time::Duration;

use edeposit_aleph::messages::{DocumentQuery, GenericQuery, Loose, ParsedInfo, Query, TitleQuery};
use edeposit_aleph::{Aleph, AlephError, Settings, XServer};
use edeposit_marc::{Dialect, Record};
use edeposit_settings::{Declared, Sources};
use edeposit_testkit::xserver::{self, Catalogue, Fault};

fn settings(server: &xserver::XServer) -> Settings {
    let mut settings = Settings::load_sources(&Sources::none()).unwrap();
    settings.url = server.url();
    settings.max_requests_per_second = 10_000.try_into().unwrap();
    settings.timeout = Duration::from_secs(10);
    settings
}

fn generic(field: &str, phrase: &str) -> Query {
    Query::GenericQuery(GenericQuery {
        base: None,
        phrase: phrase.to_owned(),
        considerSimilar: Loose::Bool(false),
        field: field.to_owned(),
    })
}

/// Every record of the catalogue can be found by its number, fetched, read, and says the same in both dialects.
#[tokio::test]
async fn the_whole_catalogue() {
    let catalogue = Catalogue::built_in().unwrap();
    let count = catalogue.records().len();
    let server = xserver::XServer::start(catalogue).unwrap();
    let settings = settings(&server);
    let (aleph, client) = (
        Aleph::new(settings.clone()).unwrap(),
        XServer::new(&settings).unwrap(),
    );
    let mut deleted = 0;
    for number in 1201..1201 + count as u64 {
        let doc_id = format!("{number:09}");
        let marcxml = client.ill_get_doc(&doc_id, "CZE01").await.unwrap();
        let marcxml = Record::from_xml(&marcxml).unwrap();
        let by_number = Query::DocumentQuery(DocumentQuery {
            doc_id: Loose::Number(number.into()),
            library: None,
        });
        let found = match aleph.search(&by_number).await {
            Ok(found) => found,
            Err(AlephError::DocumentNotFound(_)) if marcxml.is_deleted() => {
                deleted += 1;
                continue;
            }
            Err(error) => panic!("{doc_id}: {error}"),
        };
        let oai = Record::from_xml(&found.records[0].xml).unwrap();
        assert_eq!(
            (oai.dialect, marcxml.dialect),
            (Dialect::OaiMarc, Dialect::MarcXml)
        );
        assert_eq!(oai.datafields, marcxml.datafields, "{doc_id}");
        assert_eq!((oai.title(), oai.date()), (marcxml.title(), marcxml.date()));

        // and the other way round, by what it says of itself
        let id = oai.id_number().unwrap();
        let again = aleph.search(&generic("sys", id)).await.unwrap();
        assert!(
            again
                .records
                .iter()
                .any(|r| r.docNumber == Loose::from(&*doc_id)),
            "{doc_id}"
        );
    }
    assert_eq!((count, deleted), (14, 1));
}

#[tokio::test]
async fn found_by_isbn_and_not_found() {
    let server = xserver::XServer::start(Catalogue::built_in().unwrap()).unwrap();
    let aleph = Aleph::new(settings(&server)).unwrap();
    let hit = aleph
        .search(&generic("sbn", "80-251-0225-4"))
        .await
        .unwrap();
    let [record] = &hit.records[..] else {
        panic!("{hit:?}")
    };
    let Some(ParsedInfo::EPublication(book)) = &record.parsed_info else {
        panic!("{record:?}")
    };
    assert_eq!(book.ISBN, Loose::List(vec!["80-251-0225-4".into()]));
    assert_eq!(book.vazba, Loose::from("brož."));
    assert_eq!(
        aleph.count(&generic("sbn", "80-251-0225-4")).await.unwrap(),
        1
    );
    let title = Query::TitleQuery(TitleQuery {
        title: "neexistující".to_owned(),
        base: None,
    });
    assert!(aleph.search(&title).await.unwrap().records.is_empty());
    let elsewhere = Query::TitleQuery(TitleQuery {
        title: "x".to_owned(),
        base: Some("nope".to_owned()),
    });
    assert!(matches!(
        aleph.search(&elsewhere).await,
        Err(AlephError::Server(_))
    ));
}

/// After each fault the same client works on.
#[tokio::test]
async fn every_fault_is_survived() {
    let server = xserver::XServer::start(Catalogue::built_in().unwrap()).unwrap();
    let mut settings = settings(&server);
    settings.timeout = Duration::from_millis(1500);
    let aleph = Aleph::new(settings).unwrap();
    let query = generic("sbn", "80-251-0225-4");
    for (fault, expected) in [
        (Fault::HtmlPage, "Aleph didn't returned any information."),
        (Fault::Status(404), "HTTP Error 404: Not Found"),
        (Fault::Status(500), "HTTP Error 500: Internal Server Error"),
        (Fault::Reset, "<urlopen error "),
        (Fault::Silence, "<urlopen error timed out>"),
        (Fault::CutBody, "<urlopen error "),
        (
            Fault::fifty_megabytes(),
            "<urlopen error the reply has more than",
        ),
        (
            Fault::Redirect("http://127.0.0.2:1/X".to_owned()),
            "<urlopen error redirected to another place",
        ),
        (Fault::Error("Přetíženo".to_owned()), "Přetíženo"),
        (Fault::Entities, "Aleph's reply to `find` cannot be read"),
    ] {
        server.inject(fault.clone().always().on("find"));
        let error = aleph.search(&query).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{fault:?}: {error}");
        server.heal();
        assert_eq!(
            aleph.search(&query).await.unwrap().records.len(),
            1,
            "after {fault:?}"
        );
    }
    // the catalogue has the book: only for a deleted one it may seem to have none
    for (fault, expected) in [
        (Fault::DeletedRecord, None),
        (Fault::Latin2, Some("it is no UTF-8")),
        (Fault::HtmlPage, Some("There is no <record>")),
        (Fault::Entities, Some("There is no <record>")),
        (Fault::Error("Přetíženo".to_owned()), Some("Přetíženo")),
    ] {
        server.inject(fault.clone().always().on("present"));
        match (aleph.search(&query).await, expected) {
            (Ok(found), None) => assert!(found.records.is_empty(), "{fault:?}"),
            (Err(error), Some(expected)) => {
                assert!(error.to_string().contains(expected), "{fault:?}: {error}");
            }
            (result, _) => panic!("{fault:?}: {result:?}"),
        }
        server.heal();
    }
    server.inject(Fault::NoLeader.always().on("present"));
    assert_eq!(aleph.search(&query).await.unwrap().records.len(), 1);
}
