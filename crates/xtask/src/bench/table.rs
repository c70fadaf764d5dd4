//! Tables of what was measured, in Markdown, for the terminal and for `docs/performance.md`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::case::Case;
use super::measure::{Results, Row, median};
use super::subject::Subject;
use crate::cargo::workspace;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

/// The table of one case.
pub fn of_case(case: Case, rows: &[Row]) -> String {
    match case {
        Case::Start => starts(rows),
        Case::Processes | Case::Scaling => processes(rows),
        Case::Soak => soak(rows),
        _ => comparison(rows),
    }
}

fn comparison(rows: &[Row]) -> String {
    let daemon = rows.iter().find(|row| row.subject == Subject::Daemon);
    let mut table = String::from(
        "| | requests/s | (least - most) | ours / this | p50 ms | p95 ms | p99 ms | max ms | CPU s / 10,000 | broker's CPU s / 10,000 | MB after | lost, doubled, wrong |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let rates = || row.rounds.iter().map(|round| round.run.rate);
        let ratio = daemon.map_or(f64::NAN, |daemon| daemon.ratio(row, |one| one.run.rate));
        let _ = writeln!(
            table,
            "| {} | {} | {} - {} | {} | {} | {} | {} | {} | {} | {} | {:.0} | {:.0} |",
            row.subject.title(),
            short(row.median(|one| one.run.rate)),
            short(rates().fold(f64::INFINITY, f64::min)),
            short(rates().fold(0.0, f64::max)),
            short(ratio),
            short(row.median(|one| one.run.p50)),
            short(row.median(|one| one.run.p95)),
            short(row.median(|one| one.run.p99)),
            short(row.median(|one| one.run.max)),
            short(row.median(|one| one.cpu)),
            short(row.median(|one| one.broker)),
            row.resident,
            wrong(row),
        );
    }
    table
}

/// Answers of all rounds that were not as they should be.
pub fn wrong(row: &Row) -> f64 {
    row.rounds.iter().map(|one| one.run.wrong).sum()
}

fn processes(rows: &[Row]) -> String {
    let mut table = String::from(
        "| | processes | requests/s | for each process | p99 ms | CPU s / 10,000 | broker's CPU s / 10,000 | machine busy | MB, all |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let rate = row.median(|one| one.run.rate);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} % | {:.0} |",
            row.subject.title(),
            row.processes,
            short(rate),
            short(rate / row.processes as f64),
            short(row.median(|one| one.run.p99)),
            short(row.median(|one| one.cpu)),
            short(row.median(|one| one.broker)),
            row.median(|one| one.machine) * 100.0,
            row.resident,
        );
    }
    table
}

fn starts(rows: &[Row]) -> String {
    let mut table =
        String::from("| | first answer, s | (least - most) | MB then |\n|---|---:|---:|---:|\n");
    for row in rows {
        let times = || row.starts.iter().map(|start| start.first_answer);
        let _ = writeln!(
            table,
            "| {} | {:.3} | {:.3} - {:.3} | {:.1} |",
            row.subject.title(),
            median(times()),
            times().fold(f64::INFINITY, f64::min),
            times().fold(0.0, f64::max),
            median(row.starts.iter().map(|start| start.resident)),
        );
    }
    table
}

fn soak(rows: &[Row]) -> String {
    let mut table = String::from("| thousand requests | MB | requests/s |\n|---:|---:|---:|\n");
    for row in rows {
        for ((thousands, resident), round) in row.marks.iter().zip(&row.rounds) {
            let _ = writeln!(
                table,
                "| {thousands} | {resident:.1} | {} |",
                short(round.run.rate)
            );
        }
    }
    table
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".to_owned(),
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Puts all tables between the marks in `docs/performance.md`.
pub fn write(results: &Results, goals: &str) -> Result<()> {
    let path = workspace().join("docs/performance.md");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("{} has no line {BEGIN}", path.display()))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("{} has no line {END}", path.display()))?;
    let mut tables = format!("### Goals\n\n{goals}\n");
    for (case, rows) in results {
        let _ = writeln!(
            tables,
            "### {case}: {}\n\n{}",
            case.about(),
            of_case(*case, rows)
        );
    }
    let tables = tables.trim_end();
    fs::write(&path, format!("{before}{BEGIN}\n{tables}\n\n{END}{after}"))
        .with_context(|| format!("writing {}", path.display()))?;
    println!("{} is up to date.", path.display());
    Ok(())
}
