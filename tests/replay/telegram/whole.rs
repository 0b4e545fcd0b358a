//! A vector through the whole program over sockets, in real time: where sockets matter. That is for the REST server,
//! for the watch over the feed, and for Telegram's refusals.

use super::chat::Request;
use super::vector::{START, Vector, What, texts};
use super::world::{Attempt, Log};
use crate::support::ending::end;
use crate::support::feed::{Feed, Heard};
use crate::support::ports::free_port;
use crate::support::telegram::{Outcome, Telegram};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc};

/// How far a time may be off, since nothing here stands still.
const SLACK: f64 = 2.0;
/// For the program to start, and for an answer.
const SOON: Duration = Duration::from_secs(20);

/// The program, which ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// An answer of the REST server.
struct Answer {
    status: u64,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What the feed is to do.
enum Do {
    Text(String),
    Picture(Vec<u8>),
    Binary,
    Close,
}

/// Plays a vector for so long beyond its end. Gives what came of it, or the first difference of an answer over HTTP.
pub(crate) fn play(vector: &Vector, longer: Duration) -> Result<Log, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, play_on(vector, longer))
}

async fn play_on(vector: &Vector, longer: Duration) -> Result<Log, String> {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::plain().await;
    let token = vector.env.get("TELEGRAM_BOT_TOKEN").filter(|token| !token.is_empty()).cloned();
    let chat = vector.env.get("TELEGRAM_CHAT_ID").and_then(|chat| chat.trim().parse().ok()).unwrap_or(5);
    let telegram = Telegram::plain(&token.unwrap_or("1:nobody".to_owned()), chat);
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let accepts = Rc::new(Cell::new(!super::world::first_refuses(vector)));
    let _program = start(vector, folder.path(), &feed.address(), &telegram.url(), address.port());
    let (begun, began) =
        (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
    let (orders, todo) = mpsc::unbounded_channel();
    let log = Rc::new(RefCell::new(Log::default()));
    let connected = Rc::new(Notify::new());
    let serving = tokio::task::spawn_local(serve(
        feed,
        todo,
        Rc::clone(&accepts),
        Rc::clone(&log),
        begun,
        Rc::clone(&connected),
    ));
    if accepts.get() {
        tokio::time::timeout(SOON, connected.notified()).await.expect("the program connects to the feed");
    }
    until_served(address).await;
    // The program takes a moment to start, which the vectors' does not.
    let late = begun.elapsed();
    let mut expected = vector.expected("http");
    for event in &vector.events {
        tokio::time::sleep_until((begun + late + event.at).into()).await;
        let order = match &event.what {
            What::Text(text) => Do::Text(text.clone()),
            What::Frame(name) => Do::Picture(vector.frames[name].clone()),
            What::Binary => Do::Binary,
            What::Close => Do::Close,
            What::Accept(value) => {
                accepts.set(*value);
                continue;
            }
            What::TelegramPlan(plan) => {
                telegram.plan(plan);
                // A plan speaks of chats that the stand-in does not know yet.
                let to = |item: &Value| item["body"]["parameters"]["migrate_to_chat_id"].as_i64();
                plan.iter().filter_map(to).for_each(|to| telegram.migrate(chat, to, false));
                continue;
            }
            What::Http(method, path) => {
                // What was sent just now is on its way.
                tokio::time::sleep(Duration::from_millis(150)).await;
                let asked = format!("{method} {path}");
                let (method, path) = (method.clone(), path.clone());
                let answer = tokio::task::spawn_blocking(move || ask(address, &method, &path)).await.unwrap();
                let of_this = |case: &Value| {
                    case["http"].as_str() == Some(&asked)
                        && (case["t"].as_f64().unwrap() - event.at.as_secs_f64()).abs() < 1e-6
                };
                if let Some(index) = expected.iter().position(of_this) {
                    let case = expected.remove(index);
                    let began = began + late.as_secs_f64();
                    compare(&case, &answer, vector, began)
                        .map_err(|why| format!("{asked} at {}: {why}", case["t"]))?;
                }
                continue;
            }
            What::AiPlan(_) | What::Wait => continue,
        };
        let _ = orders.send(order);
    }
    if let Some(case) = expected.first() {
        return Err(format!("nobody asked {case}"));
    }
    let told = |log: &Log| (log.attempts.len(), log.closed.len());
    let at_end = told(&log.borrow());
    tokio::time::sleep(longer).await;
    serving.abort();
    let mut log = log.take();
    log.attempts.truncate(at_end.0);
    log.closed.truncate(at_end.1);
    log.requests = requests(&telegram, begun + late);
    for t in log.attempts.iter_mut().map(|attempt| &mut attempt.t).chain(&mut log.closed) {
        *t -= late.as_secs_f64();
    }
    Ok(log)
}

/// The messages that Telegram was asked to send.
fn requests(telegram: &Telegram, begun: Instant) -> Vec<Request> {
    let calls = telegram.calls().into_iter().filter(|call| call.method.starts_with("send"));
    let request = calls.map(|call| Request {
        t: call.at.saturating_duration_since(begun).as_secs_f64(),
        text: call.text().to_owned(),
        chat: call.arguments["chat_id"].clone(),
        thread: call.arguments["message_thread_id"].as_i64(),
        picture: call.files.first().map(|file| file.bytes.to_vec()),
        status: match call.outcome {
            Outcome::Done => Some(200),
            Outcome::Refused(status) => Some(status),
            Outcome::Unanswered => None,
        },
        method: call.method,
    });
    request.collect()
}

/// The feed: takes connections or refuses them, and does what it is to do over the one that is open.
async fn serve(
    feed: Feed,
    mut todo: mpsc::UnboundedReceiver<Do>,
    accepts: Rc<Cell<bool>>,
    log: Rc<RefCell<Log>>,
    begun: Instant,
    connected: Rc<Notify>,
) {
    loop {
        let accepted = accepts.get();
        let mut connection = None;
        match accepted {
            true => connection = Some(feed.accept().await),
            false => feed.refuse("503 Service Unavailable").await,
        }
        log.borrow_mut().attempts.push(Attempt { t: begun.elapsed().as_secs_f64(), accepted });
        connected.notify_one();
        while let Some(open) = &mut connection {
            tokio::select! {
                heard = open.heard() => if heard != Heard::Ping {
                    log.borrow_mut().closed.push(begun.elapsed().as_secs_f64());
                    connection = None;
                },
                order = todo.recv() => match order {
                    Some(Do::Text(text)) => open.text(&text).await,
                    Some(Do::Picture(jpeg)) => open.picture(&jpeg).await,
                    Some(Do::Binary) => open.binary(b"\x00\x01").await,
                    Some(Do::Close) => if let Some(open) = connection.take() { open.close(1000).await },
                    None => return,
                },
            }
        }
        // What was to be said while nobody listened is not said later.
        while todo.try_recv().is_ok() {}
    }
}

fn start(vector: &Vector, folder: &std::path::Path, feed: &str, telegram: &str, port: u16) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
    command.arg("run").env_clear().envs(&vector.env);
    command.env("SOURCE", "feed").env("WS_URL", feed).env("BIND", "127.0.0.1").env("PORT", port.to_string());
    command.env("DATA_DIR", folder.join("data")).env("OCTOBRIDGE_RUN_DIR", folder.join("run"));
    command.env("TELEGRAM_API_URL", telegram).env("PRINTER_DATA", folder.join("printer"));
    Program(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

async fn until_served(address: SocketAddr) {
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the REST server is not there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}

fn compare(case: &Value, answer: &Answer, vector: &Vector, began: f64) -> Result<(), String> {
    let json = || serde_json::from_slice::<Value>(&answer.body).map_err(|error| format!("no JSON: {error}"));
    for (name, value) in case.as_object().into_iter().flatten() {
        match name.as_str() {
            "t" | "http" => {}
            "status" => {
                let fine =
                    value.as_array().unwrap().iter().any(|status| status.as_u64() == Some(answer.status));
                fine.then_some(()).ok_or(format!("status {}, not one of {value}", answer.status))?;
            }
            "text" => {
                let text = String::from_utf8_lossy(&answer.body);
                (Some(&*text) == value.as_str()).then_some(()).ok_or(format!("the body is `{text}`"))?;
            }
            "content_type" => {
                let kind = answer.headers.get("content-type").map(String::as_str).unwrap_or_default();
                kind.starts_with(value.as_str().unwrap()).then_some(()).ok_or(format!("it is {kind}"))?;
            }
            "json_keys" => {
                let json = json()?;
                let missing = texts(value).into_iter().find(|key| json.get(key).is_none());
                missing.map_or(Ok(()), |key| Err(format!("`{key}` is missing in {json}")))?;
            }
            "json_equal" => equal(value, &json()?, began)?,
            "json_subset" => {
                let json = json()?;
                value
                    .as_object()
                    .unwrap()
                    .iter()
                    .try_for_each(|(key, value)| equal(value, &json[key], began))?;
            }
            "frame" => {
                let jpeg = &vector.frames[value.as_str().unwrap()];
                (answer.body == *jpeg).then_some(()).ok_or("it is another picture".to_owned())?;
            }
            "headers" => {
                for (name, value) in value.as_object().unwrap() {
                    let found = answer.headers.get(&name.to_lowercase()).cloned().unwrap_or_default();
                    let wanted = value.as_str().unwrap();
                    let fine = match wanted.strip_prefix("contains ") {
                        Some(part) => found.contains(part),
                        None => same_text(wanted, &found, began),
                    };
                    fine.then_some(()).ok_or(format!("{name} is `{found}`"))?;
                }
            }
            other => return Err(format!("nobody knows what `{other}` means")),
        }
    }
    Ok(())
}

/// Equal values, where times are moments.
fn equal(wanted: &Value, found: &Value, began: f64) -> Result<(), String> {
    let fine = match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let same_keys = wanted.keys().eq(found.keys());
            return match same_keys {
                true => wanted.iter().try_for_each(|(key, value)| equal(value, &found[key], began)),
                false => Err(format!(
                    "the fields are {:?}, not {:?}",
                    found.keys().collect::<Vec<_>>(),
                    wanted.keys().collect::<Vec<_>>()
                )),
            };
        }
        (Value::String(wanted), Value::String(found)) => same_text(wanted, found, began),
        _ => wanted == found,
    };
    fine.then_some(()).ok_or(format!("it is {found}, not {wanted}"))
}

/// Equal texts, or the same moment: the vector's clock began at another time than the program.
fn same_text(wanted: &str, found: &str, began: f64) -> bool {
    match (instant(wanted), instant(found)) {
        (Some(wanted), Some(found)) => {
            let (wanted, found) = (wanted - START as f64, found - began);
            (-SLACK..=SLACK).contains(&(found - wanted))
        }
        _ => wanted == found,
    }
}

/// Seconds since the Unix epoch of a time in UTC as ISO 8601 has it.
fn instant(text: &str) -> Option<f64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once('T')?;
    let numbers = |text: &str, between: char| -> Option<Vec<f64>> {
        text.split(between).map(|part| part.parse().ok()).collect()
    };
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let [hour, minute, second]: [f64; 3] = numbers(time, ':')?.try_into().ok()?;
    // Days from the civil calendar, counted from March on.
    let (year, month) = if month > 2.0 { (year, month - 3.0) } else { (year - 1.0, month + 9.0) };
    let leap = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = year * 365.0 + leap + ((153.0 * month + 2.0) / 5.0).floor() + day - 719_469.0;
    Some(days * 86_400.0 + hour * 3600.0 + minute * 60.0 + second)
}
