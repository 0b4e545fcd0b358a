//! What three days of four updates a second and twelve jobs leave behind in memory: source, observer, and the three
//! bridges, to a chat, to OctoApp's phones and to Prusa Connect, with what they keep on disk and their senders, in a
//! process of their own; once with all three services there, and once without OctoApp's and Connect's. The printer's time
//! is virtual; the bridges send to stand-ins in the benchmark's own process, and go by the real clock. So what happens is
//! hours old for OctoApp's, which judges it and pushes nothing.

use crate::connect_program::trial;
use crate::report::Row;
use crate::scripted::{Printer, Told, update};
use crate::support::phones::Phones;
use crate::support::prusa_connect::{Connect, registered};
use crate::support::telegram::Telegram;
use octobridge::bridge::{Bridge, BridgeState, Reporter, Setup, octoapp, prusa_connect, telegram};
use octobridge::camera::{Camera, Limits};
use octobridge::clock::SystemClock;
use octobridge::source::control::{self, Ask, Control};
use octobridge::tls;
use rustls::ClientConfig;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes this program the process that is measured.
pub(crate) const ARGUMENT: &str = "--three-days-in-memory";

const TOKEN: &str = "1:bench";
const CHAT: i64 = 5;
/// Jobs after the first, in which everything finds its size; `THREE_DAYS_JOBS` shortens a trial.
const JOBS: u64 = 12;
/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
/// A job and the rest after it.
const HOURS: u32 = 6;
/// Four updates a second.
const STEP: Duration = Duration::from_millis(250);
/// Updates of a job and of the rest after it.
const UPDATES: u32 = HOURS * 3600 * 4;
/// When a job ends: half an hour before the next.
const END: u32 = UPDATES - 7200;
/// When a job turns, in updates since its beginning.
const TURNS: [(u32, &str); 4] =
    [(0, "printing"), (UPDATES / 2, "paused"), (UPDATES / 2 + 2400, "printing"), (END, "complete")];
/// For the messages of a job to be sent, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the process and the stand-ins, twice.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    [true, false].into_iter().map(run).collect()
}

fn run(there: bool) -> Result<Row, String> {
    let jobs = jobs();
    let (chat, phones, connect) = (Telegram::start(TOKEN, CHAT), Phones::start(), Connect::start());
    connect.register("127.0.0.1");
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let authorities = [chat.ca(), phones.ca()].concat();
    std::fs::write(folder.path().join("ca.pem"), authorities).map_err(|e| e.to_string())?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let [send, config] = if there { phones.urls() } else { [NOBODY, NOBODY].map(str::to_owned) };
    let output = Command::new(program)
        .arg(ARGUMENT)
        .arg(folder.path())
        .args([chat.url(), send, config, if there { connect.url() } else { NOBODY.to_owned() }])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let grown: f64 = text.trim().parse().map_err(|_| format!("no figure: {text}"))?;
    // A pause that is over before its message could go is told by nobody.
    for (word, expected) in [("Started", jobs + 1), ("Completed", jobs + 1)] {
        let told = chat.done(word).len() as u64;
        if told != expected {
            let texts: Vec<_> = chat.done("cube").iter().map(|call| call.text().to_owned()).collect();
            return Err(format!("the chat was told {word:?} {told} times instead of {expected}: {texts:#?}"));
        }
    }
    if there && connect.telemetry().is_empty() {
        return Err(format!("Connect was not told: {:?}", connect.faults()));
    }
    let services = if there { "all services there" } else { "two of three services away" };
    Ok(Row {
        what: format!(
            "growth in {} h, {} million updates, three bridges, {services}",
            jobs * u64::from(HOURS),
            millions(jobs)
        ),
        unit: "kB",
        ours: grown,
        peer: None,
        budget: Some(256.0),
    })
}

fn jobs() -> u64 {
    trial("THREE_DAYS_JOBS", JOBS)
}

fn millions(jobs: u64) -> f64 {
    (jobs as f64 * f64::from(UPDATES) / 1e5).round() / 10.0
}

/// The printer's end of a control, which knows the phones' records and nothing else.
fn with_phones() -> Control {
    let (control, mut requests) = control::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map(|runtime| {
            runtime.block_on(async {
                loop {
                    let request = requests.next().await;
                    match request.ask() {
                        Ask::Call { method, .. } if method == "server.database.get_item" => {
                            let records: serde_json::Map<_, _> = Phones::records()
                                .map(|(token, record)| (token.to_owned(), record))
                                .into_iter()
                                .collect();
                            let answer = json!({"namespace": "octoapp", "key": ["apps"], "value": records});
                            request.answer(Ok(answer.to_string()));
                        }
                        _ => request.unsupported(),
                    }
                }
            })
        })
    });
    control
}

/// A camera that is never asked.
fn camera(tls: &Arc<ClientConfig>) -> Camera {
    Camera::new(octobridge::camera::Setup {
        wanted: None,
        web: "http://127.0.0.1:9".to_owned(),
        moonraker: "http://127.0.0.1:9".to_owned(),
        wake: None,
        tls: Arc::clone(tls),
        clock: Box::new(SystemClock::new()),
        limits: Limits::default(),
    })
}

/// The process that is measured: prints by how many kB it has grown at most at the end of a job.
pub(crate) fn live(arguments: &[String]) -> Result<(), String> {
    let [folder, chat, send, config, connect] = arguments else {
        return Err("no folder and addresses are given".to_owned());
    };
    let jobs = jobs();
    tls::install_provider();
    let folder = Path::new(folder);
    let tls = tls::client_config(Some(&folder.join("ca.pem"))).map_err(|e| e.to_string())?;
    let setting = |name: &str| {
        let value = match name {
            "TELEGRAM_BOT_TOKEN" => TOKEN.to_owned(),
            "TELEGRAM_CHAT_ID" => CHAT.to_string(),
            "TELEGRAM_API_URL" => chat.clone(),
            // What is never dropped nor replaced: the bridges go by the real clock, which hardly moves.
            "TELEGRAM_EVENTS" => "start,pause,end".to_owned(),
            "TELEGRAM_SHORT_PAUSE_SECONDS" => "0".to_owned(),
            "OCTOAPP_API_URL" => send.clone(),
            "OCTOAPP_CONFIG_URL" => config.clone(),
            "PRUSA_CONNECT_URL" => connect.clone(),
            "PRUSA_CONNECT_SERIAL" => registered::SERIAL.to_owned(),
            "PRUSA_CONNECT_TOKEN" => registered::TOKEN.to_owned(),
            "PRUSA_CONNECT_CAMERAS" => "off".to_owned(),
            _ => return None,
        };
        Some(value)
    };
    let control = with_phones();
    let setup = |id: &'static str| Setup {
        id,
        data_dir: folder,
        printer_data: folder,
        tls: Arc::clone(&tls),
        printer_id: "u1",
        camera: camera(&tls),
        fresh: Duration::from_secs(60),
        clock: SystemClock::new(),
        control: control.clone(),
        log: None,
        setting: &setting,
    };
    let mut bridges: Vec<Box<dyn Bridge>> = vec![
        telegram::start(&setup("telegram")).map_err(|e| e.to_string())?,
        octoapp::start(&setup("octoapp")).map_err(|e| e.to_string())?,
        prusa_connect::start(&setup("prusa_connect")).map_err(|e| e.to_string())?,
    ];
    // The others have nothing that must arrive.
    let reporters: Vec<Reporter> = bridges.iter().take(1).map(|bridge| bridge.reporter()).collect();
    let mut tell = |told: Told| {
        for bridge in &mut bridges {
            match &told {
                Told::Event(event) => bridge.on_event(event),
                Told::Sight(sight) if bridge.wants().snapshots => bridge.on_sight(sight),
                Told::Sight(_) => {}
            }
        }
    };
    // The bridges go by the real clock, for which nothing may be from the future or older than a week.
    let real = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
    let mut printer = Printer::connected(real - STEP * UPDATES * (jobs as u32 + 1));
    let (mut first, mut most) = (None, 0);
    for job in 0..=jobs {
        for number in 0..UPDATES {
            if let Some((_, state)) = TURNS.iter().find(|(at, _)| *at == number) {
                printer.turn(state, &mut tell);
            }
            printer.pass(STEP, &mut tell);
            printer.take(&update(number, 0, number < END), &mut tell);
        }
        wait_until_sent(&reporters)?;
        let resident = resident()?;
        let first = *first.get_or_insert(resident);
        most = most.max(resident.saturating_sub(first));
        eprintln!("  after {} h: {resident} kB resident", (job + 1) * u64::from(HOURS));
    }
    println!("{most}");
    Ok(())
}

fn wait_until_sent(reporters: &[Reporter]) -> Result<(), String> {
    let deadline = std::time::Instant::now() + PATIENCE;
    let sent = |reporter: &Reporter| {
        reporter().is_some_and(|status| status.queued == 0 && status.state == BridgeState::Connected)
    };
    while !reporters.iter().all(sent) {
        if std::time::Instant::now() > deadline {
            let states: Vec<_> = reporters.iter().map(|reporter| reporter()).collect();
            return Err(format!("messages wait for {PATIENCE:?}: {states:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Resident memory of this process, in kB.
fn resident() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("no VmRSS in {status}"))
}
