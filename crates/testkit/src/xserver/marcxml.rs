//! The same record in the MARCXML dialect, as `ill_get_doc` writes it: with the trailing slash in the namespace.

use super::Record;
use super::reply::escape;

pub(super) fn marcxml(record: &Record) -> String {
    let mut lines = vec![
        "<record xmlns=\"http://www.loc.gov/MARC21/slim/\"".to_owned(),
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"".to_owned(),
        "xsi:schemaLocation=\"http://www.loc.gov/MARC21/slim".to_owned(),
        "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd\">".to_owned(),
    ];
    for leader in record.fixed("LDR") {
        lines.push(format!("<leader>{}</leader>", escape(leader)));
    }
    for field in &record.fixfields {
        lines.push(format!(
            "<controlfield tag=\"{}\">{}</controlfield>",
            escape(&field.id),
            escape(&field.text)
        ));
    }
    for field in &record.varfields {
        lines.push(format!(
            "<datafield tag=\"{}\" ind1=\"{}\" ind2=\"{}\">",
            escape(&field.id),
            escape(&field.i1),
            escape(&field.i2)
        ));
        for (label, text) in &field.subfields {
            lines.push(format!(
                "<subfield code=\"{}\">{}</subfield>",
                escape(label),
                escape(text)
            ));
        }
        lines.push("</datafield>".to_owned());
    }
    lines.push("</record>".to_owned());
    lines.join("\n")
}
