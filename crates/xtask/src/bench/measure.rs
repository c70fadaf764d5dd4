//! Running a case: subjects started, asked in turns, and ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process;

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, Vhost, target_dir};

use super::case::Case;
use super::load::{Driver, Run, Start};
use super::process::{Machine, Process, cpu, resident};
use super::subject::{Place, Subject};

/// Numbers of processes on one queue.
const PROCESSES: [usize; 4] = [1, 2, 4, 8];

/// Requests at once in each process, some fewer than there are in flight for it: it always has the next.
const SCALING_PREFETCH: usize = 64;

/// How often the soak looks at the memory.
const SOAK_STEPS: usize = 10;

/// All that was measured.
pub type Results = BTreeMap<Case, Vec<Row>>;

/// What a case tells of one subject.
pub struct Row {
    pub subject: Subject,
    /// How many processes of it there were.
    pub processes: usize,
    /// In the order they were run: the same index in another row is the same minute.
    pub rounds: Vec<Round>,
    pub starts: Vec<Start>,
    /// MB of all its processes at the end.
    pub resident: f64,
    /// Thousands of requests so far, and MB then.
    pub marks: Vec<(usize, f64)>,
}

/// One subject's turn.
#[derive(Clone, Copy)]
pub struct Round {
    pub run: Run,
    /// Seconds of computing for 10,000 requests, of the subject.
    pub cpu: f64,
    /// The same of the broker.
    pub broker: f64,
    /// The share of the machine's computing time that was used, by whomever; 1 is all.
    pub machine: f64,
}

/// The broker and the programs.
pub struct Bench<'a> {
    node: &'a RabbitNode,
    broker: u32,
    programs: PathBuf,
    python: PathBuf,
    load: PathBuf,
    dir: PathBuf,
    subjects: Vec<Subject>,
    rounds: usize,
    seconds: f64,
    soak: usize,
}

/// A subject that runs.
struct Running {
    vhost: Vhost,
    processes: Vec<Process>,
    row: Row,
}

impl<'a> Bench<'a> {
    pub fn new(
        node: &'a RabbitNode,
        programs: PathBuf,
        python: PathBuf,
        subjects: Vec<Subject>,
        rounds: usize,
        seconds: f64,
        soak: usize,
    ) -> Result<Self> {
        let pid = node.ctl(&["eval", "os:getpid()."])?;
        let broker = pid.trim().trim_matches('"').parse();
        // As without the management plugin, which Debian's package leaves disabled: only for it are messages counted.
        node.ctl(&[
            "eval",
            "application:set_env(rabbit, collect_statistics, none).",
        ])?;
        let dir = target_dir()?.join(format!("bench-run-{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self {
            node,
            broker: broker.with_context(|| format!("the broker's process id is {pid}"))?,
            load: programs.join("bench-load"),
            programs,
            python,
            dir,
            subjects,
            rounds: rounds.max(1),
            seconds,
            soak,
        })
    }

    pub async fn run(&self, case: Case) -> Result<Vec<Row>> {
        match case {
            Case::Start => self.starts(case).await,
            Case::Soak => self.soak(case).await,
            _ => self.rounds(case).await,
        }
    }

    /// The subjects of a case, each with its number of processes.
    fn line_up(&self, case: Case) -> Vec<(Subject, usize)> {
        let rust = [Subject::Daemon, Subject::Lapin];
        match case {
            Case::Processes | Case::Scaling => rust
                .into_iter()
                .filter(|subject| self.subjects.contains(subject))
                .flat_map(|subject| PROCESSES.map(|count| (subject, count)))
                .collect(),
            _ => self.subjects.iter().map(|subject| (*subject, 1)).collect(),
        }
    }

    async fn rounds(&self, case: Case) -> Result<Vec<Row>> {
        let mut running = Vec::new();
        for (subject, count) in self.line_up(case) {
            running.push(self.start(case, subject, count).await?);
        }
        let mut failed = Vec::new();
        for turn in 0..self.rounds * case.turns().0 {
            // Nobody always comes after the same neighbour, who may have left work behind.
            let mut order: Vec<usize> = (0..running.len()).collect();
            fastrand::shuffle(&mut order);
            for index in order {
                let one = &mut running[index];
                if failed.contains(&index) {
                    continue;
                }
                match self.turn(case, one, turn == 0).await {
                    Ok(result) => one.row.rounds.push(result),
                    Err(error) if one.row.subject == Subject::Daemon => return Err(error),
                    Err(error) => {
                        eprintln!("{} is left out: {error:#}", one.row.subject);
                        failed.push(index);
                    }
                }
            }
            eprint!(".");
        }
        eprintln!();
        let rows = running.into_iter().enumerate();
        Ok(rows
            .filter(|(index, _)| !failed.contains(index))
            .map(|(_, mut one)| {
                one.row.resident = one.processes.iter().map(|one| resident(one.pid())).sum();
                one.row
            })
            .collect())
    }

    async fn start(&self, case: Case, subject: Subject, count: usize) -> Result<Running> {
        let vhost = self.node.vhost(&format!("bench-{subject}"))?;
        let load = case.load();
        self.driver().declare(subject, &vhost, load).await?;
        let mut processes = Vec::new();
        for instance in 1..=count {
            let prefetch = match case {
                Case::Scaling => SCALING_PREFETCH,
                _ => (load.window / count).max(1),
            };
            let command = subject.command(&self.place(&vhost), load, prefetch, instance);
            let log = self.dir.join(format!("{}-{instance}.log", vhost.name()));
            processes.push(Process::start(command, log)?);
        }
        Ok(Running {
            vhost,
            processes,
            row: Row {
                subject,
                processes: count,
                rounds: Vec::new(),
                starts: Vec::new(),
                resident: f64::NAN,
                marks: Vec::new(),
            },
        })
    }

    /// Asks one subject for a while. The first time, its start is waited for.
    async fn turn(&self, case: Case, one: &mut Running, first: bool) -> Result<Round> {
        let subject = one.row.subject;
        let load = case.load();
        let waits_in_line = load.pause > 0 && subject.is_serial();
        let window = match case {
            Case::Scaling => load.window * one.row.processes,
            _ => load.window,
        };
        let mut arguments = vec![format!("--window={window}")];
        if waits_in_line {
            // It is as slow with a few as with all 200 in flight.
            arguments.push("--requests=40".to_owned());
            arguments.push("--warm-up=2".to_owned());
        } else {
            let seconds = self.seconds * case.turns().1;
            arguments.push(format!("--seconds={seconds}"));
            arguments.push(format!("--warm-up={window}"));
        }
        let driver = self.driver();
        if first {
            let warming = ["--window=1", "--requests=1", "--warm-up=0"].map(str::to_owned);
            let warmed = driver.run(subject, &one.vhost, load, &warming).await?;
            if warmed.wrong > 0.0 {
                let logs: Vec<String> = one.processes.iter().map(Process::log).collect();
                anyhow::bail!("it does not answer as it should: {}", logs.join("\n"));
            }
        }
        let own = |one: &Running| one.processes.iter().map(|one| cpu(one.pid())).sum::<f64>();
        let before = (own(one), cpu(self.broker), Machine::now());
        let run = driver.run(subject, &one.vhost, load, &arguments).await?;
        let after = (own(one), cpu(self.broker), Machine::now());
        for process in &mut one.processes {
            process.check().with_context(|| subject.to_string())?;
        }
        let warm_up = if waits_in_line { 2 } else { window };
        let share = 10_000.0 / (run.requests + warm_up as f64);
        Ok(Round {
            run,
            cpu: (after.0 - before.0) * share,
            broker: (after.1 - before.1) * share,
            machine: after.2.used_since(before.2),
        })
    }

    async fn starts(&self, case: Case) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for subject in &self.subjects {
            let vhost = self.node.vhost(&format!("bench-{subject}"))?;
            let load = case.load();
            self.driver().declare(*subject, &vhost, load).await?;
            let row = Row {
                subject: *subject,
                processes: 1,
                rounds: Vec::new(),
                starts: Vec::new(),
                resident: f64::NAN,
                marks: Vec::new(),
            };
            rows.push((vhost, row));
        }
        for round in 0..self.rounds {
            for (vhost, row) in &mut rows {
                let command = row
                    .subject
                    .command(&self.place(vhost), case.load(), 1, round);
                let started = self
                    .driver()
                    .start(row.subject, vhost, case.load(), &command)
                    .await
                    .with_context(|| format!("starting {}", row.subject))?;
                row.starts.push(started);
            }
            eprint!(".");
        }
        eprintln!();
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Ours only.
    async fn soak(&self, case: Case) -> Result<Vec<Row>> {
        let mut one = self.start(case, Subject::Daemon, 1).await?;
        let load = case.load();
        let step = self.soak.div_ceil(SOAK_STEPS);
        let arguments = [
            format!("--window={}", load.window),
            format!("--requests={}", step * 1000),
        ];
        for number in 1..=SOAK_STEPS {
            let run = self
                .driver()
                .run(Subject::Daemon, &one.vhost, load, &arguments)
                .await?;
            one.row.rounds.push(Round {
                run,
                cpu: f64::NAN,
                broker: f64::NAN,
                machine: f64::NAN,
            });
            one.row.resident = resident(one.processes[0].pid());
            one.row.marks.push((number * step, one.row.resident));
            eprint!(".");
        }
        eprintln!();
        Ok(vec![one.row])
    }

    fn driver(&self) -> Driver<'_> {
        Driver {
            program: &self.load,
        }
    }

    fn place<'b>(&'b self, vhost: &'b Vhost) -> Place<'b> {
        Place {
            programs: &self.programs,
            python: &self.python,
            vhost,
            dir: &self.dir,
        }
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} stays behind: {error}", self.dir.display());
        }
    }
}

/// The middle one; NaN of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Row {
    /// The median of a number over the rounds.
    pub fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    /// The median of the rounds' ratios of a number, ours by the other's.
    pub fn ratio(&self, other: &Row, of: impl Fn(&Round) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)))
    }
}
