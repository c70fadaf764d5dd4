//! Settings as a table of the documentation.

use crate::Setting;

/// A line for each setting: name, default, what it takes, what it means.
pub(crate) fn table(settings: &[Setting]) -> String {
    let mut table = "| name | default | takes | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in settings {
        let meaning = match setting.is_used() {
            true => setting.meaning.to_owned(),
            false => format!("accepted, without effect: {}", setting.meaning),
        };
        let cells = [
            code(setting.name),
            code(&setting.default_text()),
            setting.takes(),
            meaning,
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    table
}

/// Literally; nothing for nothing.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // A line feed would end the table's line.
    format!("`{}`", text.replace('\n', "\\n"))
}
