//! The X-Server double answers as Aleph's documentation and recordings have it, byte for byte but for the session number.

use std::time::Duration;

use anyhow::Result;
use edeposit_testkit::PATIENCE;
use edeposit_testkit::xserver::{Catalogue, Fault, XServer};

const PROLOG: &str = "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n";

const FIELDS: &str = "<fixfield id=\"LDR\">-----nam-a22------a-4500</fixfield>
<fixfield id=\"FMT\">BK</fixfield>
<fixfield id=\"001\">nkc20249000007</fixfield>
<varfield id=\"020\" i1=\" \" i2=\" \">
<subfield label=\"a\">80-7000-123-2 (brož.) :</subfield>
</varfield>
<varfield id=\"100\" i1=\"1\" i2=\" \">
<subfield label=\"a\">Medová, Jana</subfield>
</varfield>
<varfield id=\"245\" i1=\"1\" i2=\"0\">
<subfield label=\"a\">Úly &amp; střechy /</subfield>
</varfield>";

fn one_record() -> Result<XServer> {
    let mut catalogue = Catalogue::default();
    let xml = format!("<record><metadata><oai_marc>\n{FIELDS}\n</oai_marc></metadata></record>");
    catalogue.add(1234, &xml)?;
    XServer::start(catalogue)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

fn get(server: &XServer, target: &str) -> Result<String> {
    let url = format!("{}{target}", server.url());
    Ok(agent().get(url).call()?.body_mut().read_to_string()?)
}

/// Takes the session number out after looking at it.
fn without_session(reply: &str) -> String {
    let (before, rest) = reply.split_once("<session-id>").expect("a session number");
    let (session, after) = rest.split_once("</session-id>").expect("its end");
    assert_eq!(session.len(), 50);
    assert!(
        session
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    );
    format!("{before}<session-id>*</session-id>{after}")
}

#[test]
fn find_makes_a_set_and_counts() -> Result<()> {
    let server = one_record()?;
    let reply = get(&server, "/X?op=find&request=wau=MEDOVA+jana&base=nkc")?;
    assert_eq!(
        without_session(&reply),
        format!(
            "{PROLOG}<find>\n<set_number>000042</set_number>\n<no_records>000000001</no_records>\n\
             <no_entries>000000001</no_entries>\n<session-id>*</session-id>\n</find>\n"
        )
    );
    let again = get(&server, "/X?op=find&request=wtl=st%C5%99echy&base=NKC")?;
    assert!(again.contains("<set_number>000043</set_number>"), "{again}");
    assert_ne!(reply, again);
    Ok(())
}

#[test]
fn find_tells_of_an_empty_set_and_of_other_errors() -> Result<()> {
    let server = one_record()?;
    let empty =
        format!("{PROLOG}<find>\n<error>empty set</error>\n<session-id>*</session-id>\n</find>\n");
    for request in ["wtl=nikde", "wtl=", "sbn=80-7000-123", "sbn="] {
        let reply = get(&server, &format!("/X?op=find&request={request}&base=nkc"))?;
        assert_eq!(without_session(&reply), empty, "{request}");
    }
    for query in [
        "request=nope=x&base=nkc",
        "request=wtl=x&base=nowhere",
        "request=x&base=nkc",
    ] {
        let reply = get(&server, &format!("/X?op=find&{query}"))?;
        assert!(reply.contains("<find>\n<error>"), "{reply}");
        assert!(!reply.contains("empty set"), "{reply}");
    }
    Ok(())
}

#[test]
fn present_shows_an_entry_of_a_set() -> Result<()> {
    let server = one_record()?;
    get(&server, "/X?op=find&request=icz=nkc20249000007&base=nkc")?;
    let reply = get(&server, "/X?op=present&set_number=000042&set_entry=1")?;
    assert_eq!(
        without_session(&reply),
        format!(
            "{PROLOG}<present>\n<record>\n<record_header>\n<set_entry>000000001</set_entry>\n</record_header>\n\
             <doc_number>000001234</doc_number>\n<metadata>\n<oai_marc>\n{FIELDS}\n</oai_marc>\n</metadata>\n\
             </record>\n<session-id>*</session-id>\n</present>\n"
        )
    );
    for (target, entry) in [
        ("set_number=000042&set_entry=2", "2"),
        ("set_number=42&set_entry=1", "1"),
        ("set_number=000099&set_entry=1", "1"),
        ("set_number=000042&set_entry=0", "0"),
    ] {
        let reply = get(&server, &format!("/X?op=present&{target}"))?;
        assert_eq!(
            without_session(&reply),
            format!(
                "{PROLOG}<present>\n<error>There is no entry number: {entry} in set number given</error>\n\
                 <session-id>*</session-id>\n</present>\n"
            )
        );
    }
    Ok(())
}

#[test]
fn find_doc_shows_a_record_by_its_number() -> Result<()> {
    let server = one_record()?;
    let reply = get(&server, "/X?op=find_doc&doc_num=1234&base=CZE01")?;
    assert_eq!(
        without_session(&reply),
        format!(
            "{PROLOG}<find-doc>\n<record>\n<metadata>\n<oai_marc>\n{FIELDS}\n</oai_marc>\n</metadata>\n</record>\n\
             <session-id>*</session-id>\n</find-doc>\n\n"
        )
    );
    let unknown = get(&server, "/X?op=find-doc&doc_number=000009999&base=CZE01")?;
    assert_eq!(
        without_session(&unknown),
        format!(
            "{PROLOG}<find-doc>\n<error>Error reading document</error>\n<session-id>*</session-id>\n</find-doc>\n"
        )
    );
    let base = get(&server, "/X?op=find_doc&doc_num=1234&base=ABC01")?;
    assert!(base.contains("<find-doc>\n<error>"), "{base}");
    assert!(!base.contains("Error reading document"), "{base}");
    Ok(())
}

#[test]
fn loans_get_numbers_and_marcxml() -> Result<()> {
    let server = one_record()?;
    get(&server, "/X?op=find&request=wrd=medova&base=nkc")?;
    let set = get(
        &server,
        "/X?op=ill_get_set&set_number=000042&start_point=1&no_docs=5",
    )?;
    assert_eq!(
        without_session(&set),
        format!(
            "{PROLOG}<ill-get-set>\n<doc-number>000001234</doc-number>\n<no-docs>000000001</no-docs>\n\
             <set-library>NKC01</set-library>\n<session-id>*</session-id>\n</ill-get-set>\n"
        )
    );
    let record = get(&server, "/X?op=ill_get_doc&doc_number=1234&library=NKC01")?;
    assert_eq!(
        without_session(&record),
        format!(
            "{PROLOG}<ill-get-doc>\n<record xmlns=\"http://www.loc.gov/MARC21/slim/\"\n\
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
             xsi:schemaLocation=\"http://www.loc.gov/MARC21/slim\n\
             http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd\">\n\
             <leader>-----nam-a22------a-4500</leader>\n\
             <controlfield tag=\"LDR\">-----nam-a22------a-4500</controlfield>\n\
             <controlfield tag=\"FMT\">BK</controlfield>\n\
             <controlfield tag=\"001\">nkc20249000007</controlfield>\n\
             <datafield tag=\"020\" ind1=\" \" ind2=\" \">\n<subfield code=\"a\">80-7000-123-2 (brož.) :</subfield>\n</datafield>\n\
             <datafield tag=\"100\" ind1=\"1\" ind2=\" \">\n<subfield code=\"a\">Medová, Jana</subfield>\n</datafield>\n\
             <datafield tag=\"245\" ind1=\"1\" ind2=\"0\">\n<subfield code=\"a\">Úly &amp; střechy /</subfield>\n</datafield>\n\
             </record>\n<session-id>*</session-id>\n</ill-get-doc>\n"
        )
    );
    let unknown = get(&server, "/X?op=ill_get_doc&doc_number=1234&library=ABC01")?;
    assert!(unknown.contains("<login>\n<error>"), "{unknown}");
    Ok(())
}

#[test]
fn post_hyphens_and_lists_of_entries_work_too() -> Result<()> {
    let server = XServer::start(Catalogue::built_in()?)?;
    let url = format!("{}/X", server.url());
    let find = agent()
        .post(&url)
        .send_form([("op", "find"), ("request", "wyr=2016"), ("base", "nkc")])?
        .body_mut()
        .read_to_string()?;
    assert!(
        find.contains("<no_records>000000002</no_records>"),
        "{find}"
    );
    get(&server, "/X?op=find&request=wtl=vcela&base=nkc")?;
    let both = get(&server, "/X?op=present&set_no=000043&set_entry=1-2")?;
    assert_eq!(both.matches("<record>").count(), 2, "{both}");
    let list = get(&server, "/X?op=present&set_number=000043&set_entry=2,1")?;
    assert_eq!(list.matches("<set_entry>").count(), 2, "{list}");

    let log = server.requests();
    assert_eq!(log.len(), 4);
    assert_eq!(log[0].method, "POST");
    assert_eq!(log[0].body, "op=find&request=wyr%3D2016&base=nkc");
    assert_eq!(log[1].target, "/X?op=find&request=wtl=vcela&base=nkc");
    Ok(())
}

#[test]
fn the_built_in_catalogue_is_found_by_what_is_in_it() -> Result<()> {
    let server = XServer::start(Catalogue::built_in()?)?;
    for (request, hits) in [
        ("sbn=80-251-0225-4", 1),
        ("sbn=8025102254", 1),
        ("sbn=9788025102251", 1),
        ("wau=Svoboda", 2),
        ("wau=%C5%98eho%C5%99+svoboda", 2),
        ("wpb=vcelar+syn", 2),
        ("ssn=1213-8215", 1),
        ("wtp=SE", 2),
        ("icz=nkc20040001201", 1),
        ("sys=000001201", 1),
        ("cnb=cnb000001201", 1),
        ("wkw=programovani", 1),
        ("bar=2610000000", 0),
        ("wtl=vcela+nikdy", 0),
    ] {
        let reply = get(&server, &format!("/X?op=find&request={request}&base=nkc"))?;
        let expected = match hits {
            0 => "<error>empty set</error>".to_owned(),
            hits => format!("<no_records>{hits:09}</no_records>"),
        };
        assert!(reply.contains(&expected), "{request}: {reply}");
    }
    Ok(())
}

#[test]
fn the_cap_bounds_what_can_be_fetched() -> Result<()> {
    let server = XServer::start(Catalogue::built_in()?)?;
    server.set_cap(1);
    let reply = get(&server, "/X?op=find&request=wau=svoboda&base=nkc")?;
    assert!(
        reply.contains("<no_records>000000002</no_records>\n<no_entries>000000001</no_entries>"),
        "{reply}"
    );
    Ok(())
}

#[test]
fn faults_of_the_transport() -> Result<()> {
    let server = one_record()?;
    let target = "/X?op=find&request=wau=medova&base=nkc";
    let url = format!("{}{target}", server.url());

    server.inject(Fault::HtmlPage.once());
    assert!(get(&server, target)?.starts_with("<html>"));

    server.inject(Fault::Status(500).once());
    assert_eq!(agent().get(&url).call()?.status(), 500);

    server.inject(Fault::Redirect("http://127.0.0.2/".to_owned()).once());
    let redirect = agent().get(&url).call()?;
    assert_eq!(redirect.status(), 302);
    assert_eq!(redirect.headers()["location"], "http://127.0.0.2/");

    server.inject(Fault::Reset.once());
    let error = agent()
        .get(&url)
        .call()
        .expect_err("the connection is reset");
    assert!(
        matches!(&error, ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset),
        "{error:?}"
    );

    server.inject(Fault::CutBody.once());
    let mut cut = agent().get(&url).call()?;
    assert_eq!(cut.status(), 200);
    assert!(cut.body_mut().read_to_string().is_err());

    server.inject(Fault::Silence.once());
    let impatient: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(300)))
        .build()
        .into();
    let error = impatient.get(&url).call().expect_err("nothing comes");
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");

    server.inject(Fault::Delay(10 * PATIENCE).once());
    let error = impatient.get(&url).call().expect_err("nothing comes yet");
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");
    server.inject(Fault::Delay(Duration::from_millis(300)).once());
    assert!(get(&server, target)?.contains("<set_number>"));

    server.inject(Fault::Blanks(1_000_001).once());
    let blanks = get(&server, target)?;
    assert_eq!(blanks.len(), 1_000_001);
    assert!(blanks.bytes().all(|byte| byte == b' '));

    // Every fault was for one request; now all is well again.
    assert!(get(&server, target)?.contains("<set_number>"));
    Ok(())
}

#[test]
fn faults_of_the_contents() -> Result<()> {
    let server = XServer::start(Catalogue::built_in()?)?;
    get(&server, "/X?op=find&request=wau=svoboda&base=nkc")?;
    let entry = |number: u32| format!("/X?op=present&set_number=000042&set_entry={number}");

    server.inject(Fault::DeletedRecord.always().at_entry(2));
    assert!(!get(&server, &entry(1))?.contains("id=\"DEL\""));
    assert!(get(&server, &entry(2))?.contains("<varfield id=\"DEL\""));
    server.heal();

    server.inject(Fault::NoLeader.once().on("present"));
    assert!(!get(&server, &entry(1))?.contains("LDR"));
    assert!(get(&server, &entry(1))?.contains("LDR"));

    server.inject(Fault::Error("Forbidden".to_owned()).once().on("find"));
    assert!(get(&server, &entry(1))?.contains("<doc_number>"));
    let reply = get(&server, "/X?op=find&request=wau=svoboda&base=nkc")?;
    assert!(
        reply.contains("<find>\n<error>Forbidden</error>"),
        "{reply}"
    );

    server.inject(Fault::Entities.once());
    let reply = get(&server, &entry(1))?;
    assert!(
        reply.contains("<!DOCTYPE") && reply.contains("&b;"),
        "{reply}"
    );

    server.inject(Fault::Latin2.once());
    let url = format!("{}{}", server.url(), entry(1));
    let bytes = agent().get(url).call()?.body_mut().read_to_vec()?;
    assert!(String::from_utf8(bytes.clone()).is_err());
    // Ř in ISO 8859-2.
    assert!(bytes.windows(4).any(|window| window == b"\xd8eho"));
    Ok(())
}

#[test]
fn connections_are_counted() -> Result<()> {
    let server = one_record()?;
    let agent = agent();
    for _ in 0..3 {
        let url = format!("{}/X?op=find&request=wau=medova&base=nkc", server.url());
        agent.get(url).call()?.body_mut().read_to_string()?;
    }
    assert_eq!(server.connections(), 1);
    get(&server, "/X?op=nothing")?;
    assert_eq!(server.connections(), 2);
    assert_eq!(server.requests()[3].connection, 2);
    Ok(())
}
