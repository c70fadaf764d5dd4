//! What the numbers should be, and whether they are.

use std::fmt::Write as _;

use super::case::Case;
use super::measure::{Results, Round, Row, median};
use super::subject::Subject;
use super::table::{short, wrong};

/// A goal with what was found; none if it was not measured.
struct Goal {
    text: String,
    found: Option<(String, bool)>,
}

/// The goals' table.
pub fn table(results: &Results) -> String {
    let mut table = String::from("| goal | measured | |\n|---|---|---|\n");
    for goal in goals(results) {
        let (found, mark) = match goal.found {
            Some((found, true)) => (found, "reached"),
            Some((found, false)) => (found, "**missed**"),
            None => ("not in this run".to_owned(), "-"),
        };
        let _ = writeln!(table, "| {} | {found} | {mark} |", goal.text);
    }
    table
}

fn goals(results: &Results) -> Vec<Goal> {
    let rate = |round: &Round| round.run.rate;
    let mut goals = vec![
        at_least(
            results,
            Case::Window256,
            Subject::Lapin,
            0.85,
            "requests/s",
            rate,
        ),
        at_most(
            results,
            Case::Latency,
            Subject::Lapin,
            1.25,
            "p50",
            |round| round.run.p50,
        ),
        at_least(
            results,
            Case::Body5M,
            Subject::Lapin,
            0.80,
            "requests/s",
            rate,
        ),
        at_least(
            results,
            Case::Window256,
            Subject::Pika,
            2.7,
            "requests/s",
            rate,
        ),
        at_least(
            results,
            Case::Slow,
            Subject::Pika,
            150.0,
            "requests/s",
            rate,
        ),
        ahead(
            results,
            "p99 below the pika loop's in every case",
            &[Subject::Pika],
            |ours, theirs| 1.0 / ours.ratio(theirs, |round| round.run.p99),
        ),
    ];
    for framework in Subject::FRAMEWORKS {
        let text = format!("more requests/s than {} in every case", framework.title());
        goals.push(ahead(results, &text, &[framework], |ours, theirs| {
            ours.ratio(theirs, rate)
        }));
    }
    goals.push(first_answer(results));
    goals.push(memory(results));
    goals.push(flat_memory(results));
    goals.push(scaling(results));
    goals.push(nothing_wrong(results));
    goals
}

fn row(results: &Results, case: Case, subject: Subject) -> Option<&Row> {
    results
        .get(&case)?
        .iter()
        .find(|row| row.subject == subject)
}

fn ratio(results: &Results, case: Case, other: Subject, of: impl Fn(&Round) -> f64) -> Option<f64> {
    let ours = row(results, case, Subject::Daemon)?;
    Some(ours.ratio(row(results, case, other)?, of))
}

fn at_least(
    results: &Results,
    case: Case,
    other: Subject,
    goal: f64,
    what: &str,
    of: impl Fn(&Round) -> f64,
) -> Goal {
    let found = ratio(results, case, other, of);
    Goal {
        text: format!("{case}: {what} at least {goal:.2} x {}", other.title()),
        found: found.map(|found| (short(found), found >= goal)),
    }
}

fn at_most(
    results: &Results,
    case: Case,
    other: Subject,
    goal: f64,
    what: &str,
    of: impl Fn(&Round) -> f64,
) -> Goal {
    let found = ratio(results, case, other, of);
    Goal {
        text: format!("{case}: {what} at most {goal:.2} x {}", other.title()),
        found: found.map(|found| (short(found), found <= goal)),
    }
}

/// Better than all `others` in all cases; `better` is above 1 where ours is.
fn ahead(
    results: &Results,
    text: &str,
    others: &[Subject],
    better: impl Fn(&Row, &Row) -> f64,
) -> Goal {
    let mut least: Option<(f64, Case)> = None;
    for (case, rows) in results.iter().filter(|(case, _)| case.compares()) {
        let Some(ours) = row(results, *case, Subject::Daemon) else {
            continue;
        };
        for theirs in rows.iter().filter(|row| others.contains(&row.subject)) {
            let found = better(ours, theirs);
            if least.is_none_or(|(least, _)| found < least) {
                least = Some((found, *case));
            }
        }
    }
    Goal {
        text: text.to_owned(),
        found: least.map(|(found, case)| (format!("{} x, in {case}", short(found)), found > 1.0)),
    }
}

fn first_answer(results: &Results) -> Goal {
    let starts = |subject| {
        let row = row(results, Case::Start, subject)?;
        Some(median(row.starts.iter().map(|start| start.first_answer)))
    };
    let lapin = starts(Subject::Lapin).unwrap_or(f64::NAN);
    Goal {
        text: "first answer less than 0.1 s after exec".to_owned(),
        found: starts(Subject::Daemon)
            .map(|found| (format!("{found:.3} s (bare lapin {lapin:.3})"), found < 0.1)),
    }
}

fn memory(results: &Results) -> Goal {
    let lapin = row(results, Case::Window256, Subject::Lapin).map_or(f64::NAN, |row| row.resident);
    let ours = row(results, Case::Window256, Subject::Daemon);
    Goal {
        text: "less than 16 MB resident after window-256".to_owned(),
        found: ours.map(|row| {
            let found = row.resident;
            (
                format!("{found:.1} MB (bare lapin {lapin:.1})"),
                found < 16.0,
            )
        }),
    }
}

fn flat_memory(results: &Results) -> Goal {
    let marks = row(results, Case::Soak, Subject::Daemon).map(|row| &row.marks[..]);
    let ends = marks.and_then(|marks| Some((marks.first()?, marks.last()?)));
    Goal {
        text: "memory flat over 1,000,000 requests (within 5 % from the first tenth on)".to_owned(),
        found: ends.map(|((_, first), (thousands, last))| {
            let text = format!("{first:.1} -> {last:.1} MB over {thousands} thousand");
            (text, *last <= first * 1.05 && *thousands >= 1000)
        }),
    }
}

/// A process answers as much beside others as alone, until the broker and this machine are the limit: where bare lapin's
/// processes answer less as well.
fn scaling(results: &Results) -> Goal {
    // Of each number of processes: how many, requests/s of all, and the share of one alone that each has.
    let rates = |subject| -> Vec<(usize, f64, f64)> {
        let rows = results.get(&Case::Scaling).into_iter().flatten();
        let mut alone = None;
        rows.filter(|row| row.subject == subject)
            .map(|row| {
                let rate = row.median(|round| round.run.rate);
                let one = *alone.get_or_insert(rate);
                (row.processes, rate, rate / one / row.processes as f64)
            })
            .collect()
    };
    let ours = rates(Subject::Daemon);
    let lapin = rates(Subject::Lapin);
    let mut good = true;
    let mut text = Vec::new();
    for (count, rate, share) in &ours {
        let mut found = format!("{count}: {}", short(*share));
        if *share < 0.9 {
            let same = lapin
                .iter()
                .find(|(others, _, share)| others == count && *share < 0.9);
            good &= same.is_some_and(|(_, limit, _)| *rate >= 0.95 * limit);
            if let Some((_, _, share)) = same {
                found += &format!(" (bare lapin {})", short(*share));
            }
        }
        text.push(found);
    }
    Goal {
        text: "scaling: requests/s of each of 1 to 8 processes at least 0.90 of one alone; where bare lapin's processes are below \
               that too, at least 0.95 of theirs"
            .to_owned(),
        found: (!ours.is_empty()).then(|| (text.join(", "), good)),
    }
}

fn nothing_wrong(results: &Results) -> Goal {
    let rows = results.values().flatten();
    let ours: Vec<&Row> = rows.filter(|row| row.subject == Subject::Daemon).collect();
    let all: f64 = ours
        .iter()
        .flat_map(|row| &row.rounds)
        .map(|one| one.run.requests)
        .sum();
    let bad: f64 = ours.iter().map(|row| wrong(row)).sum();
    Goal {
        text: "no answer lost, doubled or wrong".to_owned(),
        found: (all > 0.0).then(|| (format!("{bad:.0} of {all:.0}"), bad == 0.0)),
    }
}
