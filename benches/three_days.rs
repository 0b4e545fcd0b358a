//! What three days of four updates a second and twelve jobs leave behind in a process of their own (`live`): source,
//! observer, and the three bridges, to a chat, to OctoApp's phones and to Prusa Connect, with what they keep on disk and
//! their senders; once with all three services there, and once without OctoApp's and Connect's.
//!
//! Here are the stand-ins, and who judges whether each of them was told of the start and of the end of each job, once. The
//! printer's time is virtual, and the bridges go by the real clock: so the printer waits at each start and end until
//! that has been told.

mod live;

use crate::connect_program::trial;
use crate::report::Row;
use crate::support::phones::Phones;
use crate::support::prusa_connect::Connect;
use crate::support::push_service::word;
use crate::support::telegram::Telegram;
pub(crate) use live::{ARGUMENT, live};
use live::{Amounts, HOURS, Said, UPDATES};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "1:bench";
const CHAT: i64 = 5;
/// Jobs after the first, in which everything finds its size; `THREE_DAYS_JOBS` shortens a trial.
const JOBS: u64 = 12;
/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
/// For a turn of a job to be told, in real time. OctoApp's ends are held back for five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the process and the stand-ins, twice.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for there in [true, false] {
        rows.extend(run(there)?);
    }
    Ok(rows)
}

fn jobs() -> u64 {
    trial("THREE_DAYS_JOBS", JOBS)
}

fn run(there: bool) -> Result<Vec<Row>, String> {
    let services = Services {
        chat: Telegram::start(TOKEN, CHAT),
        phones: Phones::start(),
        connect: Connect::start(),
        there,
    };
    services.connect.register("127.0.0.1");
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let authorities = [services.chat.ca(), services.phones.ca()].concat();
    std::fs::write(folder.path().join("ca.pem"), authorities).map_err(|e| e.to_string())?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let [send, config] = if there { services.phones.urls() } else { [NOBODY, NOBODY].map(str::to_owned) };
    let connect = if there { services.connect.url() } else { NOBODY.to_owned() };
    let mut process = Command::new(program)
        .arg(ARGUMENT)
        .arg(folder.path())
        .args([services.chat.url(), send, config, connect])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let grown = services.follow(&mut process);
    if grown.is_err() {
        // It says how its bridges are, now that nobody answers it any more.
        drop(process.stdin.take());
    }
    let ended = process.wait().map_err(|e| e.to_string())?;
    let grown = grown?;
    if !ended.success() {
        return Err(format!("the measured process: {ended}"));
    }
    services.told_once()?;
    Ok(rows(&grown, there))
}

fn rows(grown: &Amounts, there: bool) -> Vec<Row> {
    let (jobs, kilobytes) = (jobs(), 1024.0 / 1000.0);
    let services = if there { "all services there" } else { "two of three services away" };
    let row = |what: String, unit, ours: f64, budget| Row { what, unit, ours, peer: None, budget };
    let soak = format!(
        "growth in {} h, {} million updates, three bridges, {services}",
        jobs * u64::from(HOURS),
        (jobs as f64 * f64::from(UPDATES) / 1e5).round() / 10.0
    );
    vec![
        row(soak, "kB", grown.memory as f64 * kilobytes, Some(256.0)),
        row("the same in open files and connections".into(), "more", grown.descriptors as f64, Some(0.0)),
        row("the same in threads".into(), "more", grown.threads as f64, Some(0.0)),
        row("the same in files on disk".into(), "more", grown.files as f64, Some(0.0)),
        // The journals of two outboxes are rewritten when they are above 64 KiB each.
        row("the same in what these hold".into(), "kB", grown.bytes as f64 / 1000.0, Some(132.0)),
    ]
}

/// Which turn of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Start,
    End,
}

struct Services {
    chat: Telegram,
    phones: Phones,
    connect: Connect,
    /// Whether more than the chat can be reached.
    there: bool,
}

impl Services {
    /// Answers the process each time that what it did was told, until it ends.
    fn follow(&self, process: &mut Child) -> Result<Amounts, String> {
        let (Some(said), Some(answers)) = (process.stdout.take(), process.stdin.as_mut()) else {
            return Err("the measured process cannot be heard".to_owned());
        };
        for line in BufReader::new(said).lines() {
            let line = line.map_err(|e| e.to_string())?;
            let said: Said = serde_json::from_str(&line).map_err(|e| format!("{line}: {e}"))?;
            let (turn, job) = match said {
                Said::Begun(job) => (Turn::Start, job),
                Said::Ended(job) => (Turn::End, job),
                Said::Grown(grown) => return Ok(grown),
            };
            let deadline = Instant::now() + PATIENCE;
            while !self.told(turn, job).iter().all(|(_, times)| *times > 0) {
                if Instant::now() > deadline {
                    return Err(self.describe(turn, job));
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
            writeln!(answers, "told").map_err(|e| e.to_string())?;
        }
        Err("the measured process ended before its time".to_owned())
    }

    /// How often each service was told of that turn of the job of this number.
    fn told(&self, turn: Turn, job: u64) -> Vec<(&'static str, usize)> {
        let file = format!("cube {job}.gcode");
        let said = if turn == Turn::Start { "Started" } else { "Completed" };
        let messages = self.chat.done(&file);
        let mut told = vec![("the chat", messages.iter().filter(|call| call.text().contains(said)).count())];
        if !self.there {
            return told;
        }
        let said = if turn == Turn::Start { "start_title" } else { "print_done_title" };
        let pushes = self.phones.pushes();
        let of_job = |push: &&serde_json::Value| push["apnsData"]["content-state"]["filePath"] == *file;
        told.push(("the phones", pushes.iter().filter(of_job).filter(|push| word(push) == said).count()));
        told.push(("Connect", self.told_connect(turn, job)));
        told
    }

    /// The same for Connect, which knows jobs by numbers, in the order in which they began.
    fn told_connect(&self, turn: Turn, job: u64) -> usize {
        let changes = self.connect.events_of("STATE_CHANGED");
        let mut numbers = Vec::new();
        for change in changes.iter().filter(|change| change["state"] == "PRINTING") {
            if !numbers.contains(&&change["job_id"]) {
                numbers.push(&change["job_id"]);
            }
        }
        let Some(number) = usize::try_from(job - 1).ok().and_then(|index| numbers.get(index)) else {
            return 0;
        };
        if turn == Turn::Start {
            return 1;
        }
        let shown = self.connect.last_telemetry();
        let ends =
            changes.iter().filter(|change| change["state"] == "FINISHED" && change["job_id"] == **number);
        // Telemetry shows it as well, before the next job hides it.
        let ends = ends.count();
        if ends == 1 && shown["state"] != "FINISHED" && numbers.len() as u64 == job { 0 } else { ends }
    }

    /// Whether each was told of each turn once, and of no other.
    fn told_once(&self) -> Result<(), String> {
        for job in 1..=jobs() + 1 {
            for turn in [Turn::Start, Turn::End] {
                if self.told(turn, job).iter().any(|(_, times)| *times != 1) {
                    return Err(self.describe(turn, job));
                }
            }
        }
        let faults = self.connect.take_faults();
        let pushes = if self.there { self.phones.pushes().len() } else { 0 };
        eprintln!(
            "  {} messages, {pushes} pushes, {} reports to Connect",
            self.chat.done("").len(),
            self.connect.told().len()
        );
        if faults.is_empty() {
            Ok(())
        } else {
            Err(format!("Connect was told what it does not have: {faults:?}"))
        }
    }

    fn describe(&self, turn: Turn, job: u64) -> String {
        let texts: Vec<_> = self.chat.done("cube").iter().map(|call| call.text().to_owned()).collect();
        let pushes: Vec<_> = self.phones.pushes().iter().map(word).collect();
        format!(
            "{turn:?} of job {job} was told {:?} times; the chat has {texts:#?}, the phones {pushes:?}, Connect {:#?} \
             and {:?}",
            self.told(turn, job),
            self.connect.events_of("STATE_CHANGED"),
            self.connect.take_faults()
        )
    }
}
