//! Answers for human eyes: what a reader wants to know of a found record, not the whole of its JSON.

use edeposit_testkit::Answer;
use serde_json::Value;

/// A few lines about an answer, all but the first indented.
pub fn show(answer: &Answer) -> String {
    let lines = if answer.is_exception() {
        exception(answer)
    } else {
        match answer.json() {
            Ok(body) => response(&body),
            Err(error) => vec![format!("{error:#}")],
        }
    };
    lines.join("\n    ")
}

fn exception(answer: &Answer) -> Vec<String> {
    let header = |name| answer.header(name).unwrap_or_default();
    vec![
        format!("exception {}", header("exception_name")),
        format!("  text  {}", header("exception")),
        format!("  type  {}", header("exception_type")),
    ]
}

fn response(body: &Value) -> Vec<String> {
    let Some(records) = body["records"].as_array() else {
        return vec![body.to_string()];
    };
    let name = body["__nt_name"].as_str().unwrap_or("?");
    let mut lines = vec![match records.len() {
        1 => format!("{name} with 1 record"),
        many => format!("{name} with {many} records"),
    }];
    for record in records {
        lines.extend(shown_record(record));
    }
    lines
}

fn shown_record(record: &Value) -> Vec<String> {
    let (info, semantic) = (&record["parsed_info"], &record["semantic_info"]);
    let mut lines = vec![format!(
        "document {} of {}/{}, {} characters of XML",
        text(&record["docNumber"]),
        text(&record["library"]),
        text(&record["base"]),
        record["xml"].as_str().unwrap_or("").chars().count()
    )];
    let rows = [
        ("title", title(info)),
        ("authors", authors(info)),
        ("publisher", publisher(info)),
        ("ISBN", text(&info["ISBN"])),
        ("binding", text(&info["vazba"])),
        ("price", text(&info["cena"])),
        ("link", text(&info["url"])),
        ("acquisition", text(&semantic["acquisitionFields"])),
        ("catalogued", text(&semantic["descriptiveCatFields"])),
        ("subjects", text(&semantic["subjectCatFields"])),
        ("closed", text(&semantic["isClosed"])),
    ];
    for (name, value) in rows {
        if !value.is_empty() {
            lines.push(format!("  {name:<11} {value}"));
        }
    }
    lines
}

fn title(info: &Value) -> String {
    join(&[text(&info["nazev"]), text(&info["podnazev"])], ": ")
}

fn publisher(info: &Value) -> String {
    let place = join(
        &[
            text(&info["mistoVydani"]),
            text(&info["nakladatelVydavatel"]),
        ],
        ": ",
    );
    join(&[place, text(&info["datumVydani"])], ", ")
}

fn authors(info: &Value) -> String {
    let names: Vec<String> = info["autori"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|author| {
            let parts = ["firstName", "lastName", "title"].map(|part| text(&author[part]));
            join(&parts, " ")
        })
        .collect();
    join(&names, "; ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => join(&items.iter().map(text).collect::<Vec<_>>(), ", "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// The parts that say something, with `between` between them.
fn join(parts: &[String], between: &str) -> String {
    let said: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    said.join(between)
}
