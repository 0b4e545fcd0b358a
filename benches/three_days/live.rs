//! The process that is measured: it says when a job has begun or ended, and waits until somebody answers that this was
//! told.

use super::{CHAT, TOKEN, jobs};
use crate::scripted::{Printer, Told, update};
use crate::support::phones::Phones;
use crate::support::prusa_connect::registered;
use octobridge::bridge::{Bridge, Setup, octoapp, prusa_connect, telegram};
use octobridge::camera::{Camera, Limits};
use octobridge::clock::SystemClock;
use octobridge::source::control::{self, Ask, Control, ControlError, Refusal, RefusalKind, Request};
use octobridge::tls;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Makes this program that process.
pub(crate) const ARGUMENT: &str = "--three-days-in-memory";

/// A job and the rest after it.
pub(super) const HOURS: u32 = 6;
/// Four updates a second.
const STEP: Duration = Duration::from_millis(250);
/// Updates of a job and of the rest after it.
pub(super) const UPDATES: u32 = HOURS * 3600 * 4;
/// When a job ends: half an hour before the next.
const END: u32 = UPDATES - 7200;
/// When a job turns, in updates since its beginning.
const TURNS: [(u32, &str); 4] =
    [(0, "printing"), (UPDATES / 2, "paused"), (UPDATES / 2 + 2400, "printing"), (END, "complete")];
/// So many updates after a start or an end it was surely seen.
const SEEN: u32 = 8;
/// Connections that nobody needs are closed within this time, in real time.
const CLOSED: Duration = Duration::from_secs(12);

/// What the process says, a line of JSON each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Said {
    /// The job of this number has begun; an answer is awaited.
    Begun(u64),
    /// It has ended; an answer is awaited.
    Ended(u64),
    /// How much more there was at the end of any job than at that of the first.
    Grown(Amounts),
}

/// What a process has.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Amounts {
    /// Resident memory, in KiB.
    pub(super) memory: u64,
    /// Open files and connections.
    pub(super) descriptors: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Files that it keeps.
    pub(super) files: u64,
    /// Bytes in these.
    pub(super) bytes: u64,
}

impl Amounts {
    /// Those of this process, which keeps its files in `folder`.
    fn now(folder: &Path) -> Result<Self, String> {
        let count =
            |path: &str| Ok::<_, String>(std::fs::read_dir(path).map_err(|e| e.to_string())?.count() as u64);
        let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let memory =
            line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("no VmRSS in {status}"))?;
        let (files, bytes) = kept(folder)?;
        Ok(Self {
            memory,
            descriptors: count("/proc/self/fd")?,
            threads: count("/proc/self/task")?,
            files,
            bytes,
        })
    }

    /// The greater of each, once `first` was taken off these.
    fn most_beyond(self, first: Self, most: Self) -> Self {
        let grown = |pick: fn(&Self) -> u64| pick(&self).saturating_sub(pick(&first)).max(pick(&most));
        Self {
            memory: grown(|amounts| amounts.memory),
            descriptors: grown(|amounts| amounts.descriptors),
            threads: grown(|amounts| amounts.threads),
            files: grown(|amounts| amounts.files),
            bytes: grown(|amounts| amounts.bytes),
        }
    }
}

/// How many files are in a folder and those below it, and their bytes.
fn kept(folder: &Path) -> Result<(u64, u64), String> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder).map_err(|e| e.to_string())?.flatten() {
        // One that was replaced meanwhile is not there any more.
        let Ok(found) = entry.metadata() else { continue };
        let (more, length) = if found.is_dir() { kept(&entry.path())? } else { (1, found.len()) };
        (files, bytes) = (files + more, bytes + length);
    }
    Ok((files, bytes))
}

/// What there is once it is calm: connections and threads that nobody needs any more are gone, or do not go.
fn settled(folder: &Path, first: Option<Amounts>) -> Result<Amounts, String> {
    let deadline = Instant::now() + CLOSED;
    loop {
        let now = Amounts::now(folder)?;
        let is_calm = |first: Amounts| now.descriptors <= first.descriptors && now.threads <= first.threads;
        if first.is_some_and(is_calm) || Instant::now() > deadline {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The process that is measured.
pub(crate) fn live(arguments: &[String]) -> Result<(), String> {
    let [folder, chat, send, config, connect] = arguments else {
        return Err("no folder and addresses are given".to_owned());
    };
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
    let bridges: Vec<Box<dyn Bridge>> = vec![
        telegram::start(&setup("telegram")).map_err(|e| e.to_string())?,
        octoapp::start(&setup("octoapp")).map_err(|e| e.to_string())?,
        prusa_connect::start(&setup("prusa_connect")).map_err(|e| e.to_string())?,
    ];
    print(bridges, folder)
}

/// Prints one job after the other.
fn print(mut bridges: Vec<Box<dyn Bridge>>, folder: &Path) -> Result<(), String> {
    let jobs = jobs();
    // For the bridges nothing may be from the future or older than a week.
    let real = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
    let mut printer = Printer::connected(real - STEP * UPDATES * (jobs as u32 + 1));
    // An idle printer first: OctoApp's phones are not told the start of a print that is found under way.
    for number in 0..SEEN {
        printer.pass(STEP, &mut |told| tell(&mut bridges, &told));
        printer.take(&update(number, 0, false), &mut |told| tell(&mut bridges, &told));
    }
    let (mut first, mut most) = (None, Amounts::default());
    for job in 1..=jobs + 1 {
        for number in 0..UPDATES {
            let mut tell = |told: Told| tell(&mut bridges, &told);
            if let Some((_, state)) = TURNS.iter().find(|(at, _)| *at == number) {
                printer.turn(state, &mut tell);
            }
            printer.pass(STEP, &mut tell);
            printer.take(&update(number, 0, number < END), &mut tell);
            if number == SEEN {
                wait_until_told(Said::Begun(job), &bridges)?;
            } else if number == END + SEEN {
                wait_until_told(Said::Ended(job), &bridges)?;
            }
        }
        let now = settled(folder, first)?;
        most = now.most_beyond(*first.get_or_insert(now), most);
        eprintln!("  after {} h: {now:?}", job * u64::from(HOURS));
    }
    say(Said::Grown(most))
}

fn tell(bridges: &mut [Box<dyn Bridge>], told: &Told) {
    for bridge in bridges {
        match told {
            Told::Event(event) => bridge.on_event(event),
            Told::Sight(sight) if bridge.wants().snapshots => bridge.on_sight(sight),
            Told::Sight(_) => {}
        }
    }
}

fn say(said: Said) -> Result<(), String> {
    println!("{}", serde_json::to_string(&said).map_err(|e| e.to_string())?);
    std::io::stdout().flush().map_err(|e| e.to_string())
}

fn wait_until_told(said: Said, bridges: &[Box<dyn Bridge>]) -> Result<(), String> {
    say(said)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| e.to_string())?;
    if answer.is_empty() {
        let states: Vec<_> = bridges.iter().map(|bridge| bridge.reporter()()).collect();
        return Err(format!("{said:?} was not told: {states:#?}"));
    }
    Ok(())
}

/// The printer's end of a control: a database with the phones' records, and nothing else.
fn with_phones() -> Control {
    let (control, mut requests) = control::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let mut public = Map::new();
        runtime.map(|runtime| {
            runtime.block_on(async {
                loop {
                    answer(requests.next().await, &mut public);
                }
            })
        })
    });
    control
}

/// `public` is what the bridge keeps beside the phones' records: without its key in there it would tell nobody.
fn answer(request: Request, public: &mut Map<String, Value>) {
    let Ask::Call { method, params } = request.ask() else { return request.unsupported() };
    let method = method.clone().into_owned();
    let params: Value =
        params.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let key = match &params["key"] {
        Value::Array(levels) => levels.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
        key => key.as_str().unwrap_or_default().to_owned(),
    };
    let found = match (&*method, &*key) {
        ("server.database.get_item", "apps") => {
            Some(Phones::records().map(|(token, record)| (token.to_owned(), record)).into_iter().collect())
        }
        ("server.database.get_item", key) => public.get(key).cloned(),
        ("server.database.post_item", key) => {
            public.insert(key.to_owned(), params["value"].clone());
            Some(params["value"].clone())
        }
        // Phones register the Live Activity of each print anew.
        ("server.database.delete_item", _) => Some(Value::Null),
        _ => return request.unsupported(),
    };
    let missing = || ControlError::Refused {
        what: method.clone(),
        refusal: Refusal { kind: RefusalKind::NotFound, code: 404, message: String::new() },
    };
    let answer = found.map(|value| json!({"namespace": "octoapp", "key": key, "value": value}).to_string());
    request.answer(answer.ok_or_else(missing));
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
