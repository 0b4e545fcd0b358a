//! One line on the printer's console for each bridge that waits for a person to pair it.
//!
//! Moonraker's announcements come from feeds in the Internet and from its own parts alone, so it is the console, which
//! the printer's web interface shows. Each bridge is named once, over restarts too, until it has been paired.

use super::service::Told;
use crate::bridge::BridgeState;
use crate::printer::{KlippyState, PrintState};
use crate::settings::{PageFor, Settings};
use crate::setup::find_addresses;
use crate::source::control::Control;
use crate::status::BridgeLine;
use crate::{tls, whole_file};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// How often it is looked whether somebody is to be named.
const STEP: Duration = Duration::from_secs(10);
/// A bridge has waited for so long, in seconds, before it is named: until then it may just be starting.
const SETTLED: u64 = 20;
/// Klipper answers within this time, or is not asked again for now.
const ANSWER: Duration = Duration::from_secs(20);
/// Name of the file of those that were named, in the state folder.
const FILE: &str = "named-on-console";
/// Most bytes of that file: names, a line each.
const MOST: u64 = 4096;

/// Names who is to be named, until the service ends, or Klipper turns out to have no `[respond]`.
pub(super) async fn run(told: Rc<RefCell<Told>>, control: Control, state: PathBuf) {
    watch(|named| due(&told.borrow(), named), control, &state.join(FILE)).await;
}

/// The same, where `due` gives who is to be named now; the file at `path` keeps who was.
async fn watch(
    mut due: impl FnMut(&mut Vec<String>) -> Option<(String, Option<PathBuf>)>,
    control: Control,
    path: &Path,
) {
    let text = whole_file::read_text(path, MOST).unwrap_or_default();
    let mut named: Vec<String> = text.lines().map(str::to_owned).collect();
    loop {
        tokio::time::sleep(STEP).await;
        let before = named.len();
        let next = due(&mut named);
        if named.len() < before {
            store(path, &named);
        }
        let Some((name, extra_ca)) = next else { continue };
        let Ok(help) = control.call("printer.gcode.help", &Value::Null, Some(ANSWER)).await else { continue };
        if help.get("RESPOND").is_none() {
            return;
        }
        // First it is noted: rather not at all than at each boot.
        named.push(name.clone());
        if !store(path, &named) {
            return;
        }
        log::info!("{name}: the printer's console says that it is not paired yet");
        let control = control.clone();
        let thread = std::thread::Builder::new().name("hint".to_owned());
        // Without a thread nobody is told: it stands in the status, and on the page.
        let _ = thread.spawn(move || say(&control, &name, extra_ca.as_deref()));
    }
}

/// Who is to be named now, if the page can be opened and the printer is at rest; and where further authorities are.
fn due(told: &Told, named: &mut Vec<String>) -> Option<(String, Option<PathBuf>)> {
    let shared = told.shared.borrow();
    let next = next(named, &shared.bridges.lines())?;
    let at_rest = shared
        .present()
        .is_some_and(|seen| is_at_rest(seen.klippy.state, seen.print.as_ref().map(|print| print.state)));
    let extra_ca = told.settings.text("EXTRA_CA_FILE").map(PathBuf::from);
    (at_rest && has_page(&told.settings)).then_some((next, extra_ca))
}

/// Forgets of those that were named whoever has been paired since or is gone; gives the next that is to be named.
fn next(named: &mut Vec<String>, lines: &[BridgeLine]) -> Option<String> {
    named.retain(|name| lines.iter().any(|line| line.name == *name && line.state != BridgeState::Connected));
    let waits = |line: &&BridgeLine| {
        line.state == BridgeState::NeedsPairing
            && line.state_seconds >= SETTLED
            && !named.contains(&line.name)
    };
    lines.iter().find(waits).map(|line| line.name.clone())
}

fn is_at_rest(klippy: KlippyState, print: Option<PrintState>) -> bool {
    klippy == KlippyState::Ready && print.is_some_and(|print| !print.is_active())
}

/// Whether there is a page behind the printer's web server.
fn has_page(settings: &Settings) -> bool {
    settings.on_a_printer && settings.general.page != PageFor::Nobody && settings.general.api.is_some()
}

fn store(path: &Path, named: &[String]) -> bool {
    let kept = whole_file::replace(path, named.join("\n").as_bytes());
    kept.inspect_err(|error| log::debug!("cannot keep who was named on the console: {error}")).is_ok()
}

/// Says it. Blocks for some seconds.
fn say(control: &Control, name: &str, extra_ca: Option<&Path>) {
    let tls = tls::client_config(extra_ca).ok();
    let found = tls.and_then(|tls| find_addresses(control, tls).ok());
    let url = found.and_then(|found| found.urls.into_iter().next());
    if let Err(error) = control.gcode(&script(name, url.as_deref()), Some(ANSWER)).wait() {
        log::debug!("nothing was said on the console: {error}");
    }
}

/// The G-code that says it.
fn script(name: &str, url: Option<&str>) -> String {
    let (kind, label) = name.split_once(' ').map_or((name, None), |(kind, label)| (kind, Some(label)));
    let kind = match kind {
        "octoapp" => "OctoApp",
        "prusa_connect" => "Prusa Connect",
        _ => "Telegram",
    };
    // Klipper takes some characters for the end of the text, or of the command.
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let label: String = label.map(|label| label.chars().map(plain).collect()).unwrap_or_default();
    let gap = if label.is_empty() { "" } else { " " };
    let place = url.map_or("", |url| url.trim_end_matches('/'));
    let after = if url.is_none() { " on this printer" } else { "" };
    [
        "RESPOND TYPE=command MSG=\"Octobridge: ",
        kind,
        gap,
        &label,
        " is on but not paired yet. Open ",
        place,
        "/octobridge/",
        after,
        "\"",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::control::{self, Ask};
    use proptest::prelude::*;

    fn line(name: &str, state: BridgeState, state_seconds: u64) -> BridgeLine {
        BridgeLine { name: name.to_owned(), state, state_seconds, ..BridgeLine::default() }
    }

    #[test]
    fn each_is_named_once_until_it_has_been_paired() {
        use BridgeState::*;
        let steps = [
            // At first it may just be starting.
            (vec![line("telegram", Starting, 50)], None),
            (vec![line("telegram", NeedsPairing, SETTLED - 1)], None),
            (vec![line("octoapp", Connected, 90), line("telegram", NeedsPairing, SETTLED)], Some("telegram")),
            (vec![line("octoapp", Connected, 90), line("telegram", NeedsPairing, 900)], None),
            // After the next boot, and when it was off for a while.
            (vec![line("telegram", Starting, 0)], None),
            (vec![line("telegram", Off, 50)], None),
            (vec![line("telegram", NeedsPairing, 50)], None),
            (
                vec![line("telegram", NeedsPairing, 50), line("telegram b", NeedsPairing, 50)],
                Some("telegram b"),
            ),
            (vec![line("telegram", NeedsPairing, 50), line("telegram b", Failed, 50)], None),
            // It was paired, and the pairing is lost again.
            (vec![line("telegram", Connected, 50)], None),
            (vec![line("telegram", NeedsPairing, 50)], Some("telegram")),
            (vec![line("telegram", Retrying, 50)], None),
        ];
        let mut named = Vec::new();
        for (number, (lines, expected)) in steps.into_iter().enumerate() {
            let found = next(&mut named, &lines);
            assert_eq!(found.as_deref(), expected, "step {number}: {lines:?}");
            named.extend(found);
        }
        assert_eq!(named, ["telegram"]);
    }

    #[test]
    fn nothing_is_said_while_the_printer_is_busy_or_away() {
        for (state, print, expected) in [
            (KlippyState::Ready, Some(PrintState::Standby), true),
            (KlippyState::Ready, Some(PrintState::Complete), true),
            (KlippyState::Ready, Some(PrintState::Printing), false),
            (KlippyState::Ready, Some(PrintState::Paused), false),
            (KlippyState::Ready, None, false),
            (KlippyState::Startup, Some(PrintState::Standby), false),
            (KlippyState::Shutdown, Some(PrintState::Standby), false),
            (KlippyState::Error, Some(PrintState::Standby), false),
        ] {
            assert_eq!(is_at_rest(state, print), expected, "{state:?} {print:?}");
        }
    }

    #[test]
    fn the_line_names_the_bridge_and_the_page() {
        for (name, url, expected) in [
            (
                "octoapp",
                Some("http://192.168.1.20"),
                "OctoApp is on but not paired yet. Open http://192.168.1.20/octobridge/",
            ),
            (
                "prusa_connect",
                None,
                "Prusa Connect is on but not paired yet. Open /octobridge/ on this printer",
            ),
            (
                "telegram",
                Some("http://[fd00::1]:81/"),
                "Telegram is on but not paired yet. Open http://[fd00::1]:81/octobridge/",
            ),
            (
                "telegram work\"; M112",
                None,
                "Telegram work___M112 is on but not paired yet. Open /octobridge/ on this printer",
            ),
        ] {
            let expected = format!("RESPOND TYPE=command MSG=\"Octobridge: {expected}\"");
            assert_eq!(script(name, url), expected);
        }
    }

    /// Watches for a bridge that waits for ever, with a Klipper that has these commands, until so much was asked of it and
    /// for a while longer; gives what was.
    async fn watched(path: &Path, commands: &str, expected: usize) -> Vec<String> {
        let (control, mut requests) = control::channel();
        let due = |named: &mut Vec<String>| {
            Some((next(named, &[line("telegram", BridgeState::NeedsPairing, 60)])?, None))
        };
        let asked = RefCell::new(Vec::new());
        let answering = async {
            loop {
                let request = requests.next().await;
                let Ask::Call { method, params } = request.ask() else { panic!("{:?}", request.ask()) };
                // It asks for the printer's address, too.
                if method.starts_with("printer.gcode") {
                    asked.borrow_mut().push([method, params.as_deref().unwrap_or_default()].concat());
                }
                request.answer(Ok(commands.to_owned()));
            }
        };
        let patience = async {
            let mut more = 20;
            while more > 0 {
                tokio::time::sleep(STEP).await;
                match asked.borrow().len() >= expected {
                    true => more -= 1,
                    // What is said comes from a thread, which lives by another clock.
                    false => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        };
        tokio::select! {
            () = watch(due, control, path) => {}
            () = answering => {}
            () = patience => {}
        }
        asked.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_said_once_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let asked = watched(&path, r#"{"G28": "", "RESPOND": "Echo"}"#, 2).await;
        let [help, said] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(help, "printer.gcode.help");
        assert!(
            said.starts_with("printer.gcode.script") && said.contains("Telegram is on but not paired"),
            "{said}"
        );
        assert_eq!(watched(&path, r#"{"RESPOND": ""}"#, 0).await, [""; 0], "after a restart");
        std::fs::write(&path, "octoapp").unwrap();
        assert_eq!(watched(&path, r#"{"RESPOND": ""}"#, 2).await.len(), 2, "another one was named");
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_command_or_a_place_to_note_it_nothing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(watched(&path, r#"{"G28": ""}"#, 1).await, ["printer.gcode.help"]);
        assert!(!path.exists());
        std::fs::create_dir(&path).unwrap();
        assert_eq!(watched(&path, r#"{"RESPOND": ""}"#, 1).await, ["printer.gcode.help"]);
    }

    proptest! {
        #[test]
        fn no_name_ends_the_text(name in ".*") {
            let said = script(&name, None);
            prop_assert_eq!(said.matches('"').count(), 2);
            prop_assert!(!said.contains([';', '#', '*', '\n', '\r', '\\', '\'']));
        }
    }
}
