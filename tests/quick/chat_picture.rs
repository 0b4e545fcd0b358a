//! The picture of a chat in the documentation: a print is played through the whole bridge, and what it sends is drawn.
//! A stale picture fails the test; `UPDATE_GENERATED=1 cargo test --test quick chat_picture` draws it anew.

mod draw;

use crate::support::camera::{never_asked, picture};
use crate::support::virtual_time::Turned;
use draw::Bubble;
use octobridge::bridge::telegram::rehearsal::{Rehearsal, Server};
use octobridge::clock::Clock;
use octobridge::printer::{
    FilamentSensor, Klippy, KlippyState, Machine, Memory, Metadata, Named, Observation, Observer, Print,
    PrintState, Sight, Snapshot,
};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2025-08-20 10:00 UTC.
const START: u64 = 1_755_684_000;
const LAYERS: u32 = 240;
/// What a job of this length is estimated at by the slicer.
const PRINT: Duration = Duration::from_secs(7800);
/// When the filament ends, and when it is there again.
const RUNOUT: Duration = Duration::from_secs(3000);
const LOADED: Duration = Duration::from_secs(3540);

/// The other side: takes everything, and remembers it. Its model sees a defect once.
#[derive(Clone)]
struct Chat {
    clock: Turned,
    bubbles: Arc<Mutex<Vec<Bubble>>>,
    checks: Arc<Mutex<u32>>,
}

impl Server for Chat {
    fn take(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        file: Option<&[u8]>,
    ) -> Option<(u16, Option<String>, Vec<u8>)> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        assert!(["sendMessage", "sendPhoto"].contains(&method), "{method} is not drawn");
        assert_eq!(text("parse_mode"), "HTML");
        let mut bubbles = self.bubbles.lock().unwrap();
        bubbles.push(Bubble {
            at: self.clock.now().unix,
            text: format!("{}{}", text("text"), text("caption")),
            // What the camera saw: its pictures are as many bytes longer.
            photo: file.map(|jpeg| (jpeg.len() - picture(1280, 720, 0).len()) as f64 / 1000.0),
            buttons: draw::buttons(arguments),
        });
        let body = json!({"ok": true, "result": {"message_id": bubbles.len()}});
        Some((200, None, body.to_string().into_bytes()))
    }

    fn ask(&self, _question: &[u8], _jpeg: &[u8]) -> Option<(u16, Option<String>, Vec<u8>)> {
        let mut checks = self.checks.lock().unwrap();
        *checks += 1;
        let found = match *checks {
            2 => {
                json!({"has_defect": true, "confidence": 0.86, "summary": "Strings between the two towers."})
            }
            _ => json!({"has_defect": false, "confidence": 0.05, "summary": ""}),
        };
        let answer =
            json!({"choices": [{"message": {"content": found.to_string()}, "finish_reason": "stop"}]});
        Some((200, None, answer.to_string().into_bytes()))
    }
}

fn setting(name: &str) -> Option<String> {
    let value = match name {
        "TELEGRAM_BOT_TOKEN" => "123456:TOKEN",
        "TELEGRAM_CHAT_ID" => "5",
        "TELEGRAM_FORMAT" => "html",
        "PROGRESS_STEP" => "25",
        "OPENROUTER_API_KEY" => "key",
        _ => return None,
    };
    Some(value.to_owned())
}

/// The printer at a time of the job, of which it has printed so much.
fn sight(state: PrintState, since: Duration, printed: Duration, has_filament: bool) -> Arc<Snapshot> {
    let progress = printed.as_secs_f64() / PRINT.as_secs_f64();
    let metadata = Metadata {
        estimated_time: Some(PRINT),
        layer_count: Some(LAYERS),
        slicer: Some("OrcaSlicer".to_owned()),
        ..Metadata::default()
    };
    let sensor = FilamentSensor { enabled: Some(true), detected: Some(has_filament) };
    let machine = Machine {
        filament_sensors: vec![Named { name: "e0_filament".into(), value: sensor }],
        ..Machine::default()
    };
    let idle = state == PrintState::Standby;
    let print = Print {
        state,
        file: (!idle).then(|| "towers.gcode".to_owned()),
        total_duration: Some(since),
        print_duration: Some(printed),
        progress: Some(progress),
        file_progress: Some(progress),
        layer: Some((progress * f64::from(LAYERS)) as u32),
        layers: Some(LAYERS),
        metadata: Some(Arc::new(metadata)),
        ..Print::default()
    };
    Arc::new(Snapshot {
        klippy: Klippy { state: KlippyState::Ready, message: None },
        print: Some(print),
        machine: Arc::new(machine),
        ..Snapshot::default()
    })
}

/// Plays a print; gives what was sent.
fn play() -> Vec<Bubble> {
    let folder = tempfile::tempdir().unwrap();
    let clock = Turned::from(START);
    let camera = never_asked(clock.clone());
    let chat = Chat { clock: clock.clone(), bubbles: Arc::default(), checks: Arc::default() };
    let clocks = || -> Box<dyn Clock> { Box::new(clock.clone()) };
    let fresh = Duration::from_secs(60);
    let mut bridge =
        Rehearsal::new(&setting, folder.path(), camera.clone(), fresh, chat.clone(), &clocks).unwrap();
    let mut observer = Observer::new(Memory::default());
    let tick = Duration::from_secs(2);
    let begin = Duration::from_secs(60);
    let mut now = Duration::ZERO;
    while now < begin + PRINT + (LOADED - RUNOUT) + Duration::from_secs(300) {
        clock.turn(now);
        let since = now.saturating_sub(begin);
        let printed = since.min(RUNOUT) + since.saturating_sub(LOADED);
        let snapshot = match printed {
            _ if now < begin => sight(PrintState::Standby, since, printed, true),
            printed if printed >= PRINT => sight(PrintState::Complete, PRINT + LOADED - RUNOUT, PRINT, true),
            // Its end pauses the printer; a minute before it goes on there is some again.
            printed if (RUNOUT..LOADED).contains(&since) => {
                sight(PrintState::Paused, since, printed, since + Duration::from_secs(60) > LOADED)
            }
            printed => sight(PrintState::Printing, since, printed, true),
        };
        let progress = printed.as_secs_f64().min(PRINT.as_secs_f64()) / PRINT.as_secs_f64();
        camera.offer(picture(1280, 720, (progress * 1000.0) as usize), clock.now()).unwrap();
        let observation = Observation::Seen(Arc::clone(&snapshot));
        let events = observer.observe(&observation, clock.now());
        events.iter().for_each(|event| bridge.on_event(event));
        bridge.on_sight(&Sight { snapshot, job: observer.job().map(Arc::from), at: clock.now() });
        bridge.work();
        now += tick;
    }
    drop(bridge);
    Arc::try_unwrap(chat.bubbles).unwrap().into_inner().unwrap()
}

#[test]
fn the_picture_of_a_chat_is_that_of_the_program() {
    let made = draw::chat(&play());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/telegram-chat.svg");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return std::fs::write(&path, made).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == made,
        "{} is stale; run `UPDATE_GENERATED=1 cargo test --test quick chat_picture` and look at it",
        path.display()
    );
}
