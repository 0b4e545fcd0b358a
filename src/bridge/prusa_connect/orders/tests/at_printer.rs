//! What the desk asks of the printer, by a source that writes down what it is asked.

use super::super::desk::{Desk, PrinterDesk};
use super::super::running::Trouble;
use super::*;
use crate::source::control::{self, Ask, ControlError, Refusal, RefusalKind};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

type Answer = fn(&str, &str) -> Result<Value, ControlError>;

fn refused(kind: RefusalKind, message: &str) -> ControlError {
    let refusal = Refusal { kind, code: 400, message: message.to_owned() };
    ControlError::Refused { what: "a call".to_owned(), refusal }
}

/// A common printer, with the mapping of the vendor's.
fn common(method: &str, _: &str) -> Result<Value, ControlError> {
    let names =
        ["G28", "G1", "G90", "G91", "M84", "M104", "M109", "M140", "LOAD_FILAMENT", "SET_PRINT_EXTRUDER_MAP"];
    let commands: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    match method {
        "printer.objects.query" => Ok(json!({"status": {"gcode": {"commands": commands}}})),
        _ => Ok(json!("ok")),
    }
}

/// Does these tasks one after another. What was asked, in short, and what came of each.
fn carry_out(tasks: &[Task], answer: Answer) -> (Vec<String>, Vec<Said>) {
    let (control, mut requests) = control::channel();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let source = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            loop {
                let request = requests.next().await;
                if request.ask().name() == "end" {
                    return;
                }
                assert!(request.by().is_some_and(|by| &**by == "Prusa Connect"));
                let params = request.ask().params().unwrap_or_default().to_owned();
                let plain = !matches!(request.ask(), Ask::Call { .. });
                let what = request.ask().name().to_owned();
                seen.lock().unwrap().push(format!("{what} {params}").trim_end().to_owned());
                match answer(&what, &params) {
                    Ok(_) if plain => request.done(),
                    answer => request.answer(answer.map(|value| value.to_string())),
                }
            }
        });
    });
    let (sender, said) = mpsc::channel();
    let told = Arc::new(move |_, outcome| drop(sender.send(outcome)));
    let mut desk = PrinterDesk::new(&control, Macros::default(), told);
    let mut all = Vec::new();
    for (number, task) in (1..).zip(tasks) {
        desk.begin(number, task);
        all.push(said.recv_timeout(Duration::from_secs(20)).unwrap());
    }
    if tasks.iter().any(|task| matches!(task, Task::Start { mapping, .. } if !mapping.is_empty())) {
        desk.unmap(&[0, 2]);
    }
    drop(control.call("end", &Value::Null, None));
    source.join().unwrap();
    let asked = asked.lock().unwrap().clone();
    (asked, all)
}

const QUERY: &str = r#"printer.objects.query {"objects":{"gcode":["commands"]}}"#;

fn script(text: &str) -> String {
    format!("printer.gcode.script {}", json!({ "script": text }))
}

#[test]
fn each_task_is_a_call() {
    let heat = Material { nozzle: Some(215.0), bed: Some(60.0) };
    for (task, expected) in [
        (
            Task::Start { path: "a.gcode".into(), mapping: vec![] },
            vec![r#"printer.print.start {"filename":"a.gcode"}"#.to_owned()],
        ),
        (Task::Pause, vec!["printer.print.pause".to_owned()]),
        (Task::Resume, vec!["printer.print.resume".to_owned()]),
        (Task::Cancel, vec!["printer.print.cancel".to_owned()]),
        (Task::Script("EXCLUDE_OBJECT NAME=A".into()), vec![script("EXCLUDE_OBJECT NAME=A")]),
        (Task::Gcode("G28 XYZ\r\nM84".into()), vec![QUERY.to_owned(), script("G28 X Y Z\nM84")]),
        (Task::Gcode("M300 S100 P20".into()), vec![QUERY.to_owned()]),
        (
            Task::Filament(Filament { load: true, heat }),
            vec![QUERY.to_owned(), script("M140 S60\nM109 S195\nLOAD_FILAMENT\nM104 S215")],
        ),
        (Task::Restart, vec!["printer.firmware_restart".to_owned()]),
        (Task::Halt, vec!["printer.emergency_stop".to_owned()]),
    ] {
        let (asked, said) = carry_out(std::slice::from_ref(&task), common);
        assert_eq!((asked, said), (expected, vec![Ok(())]), "{task:?}");
    }
}

#[test]
fn tools_are_mapped_before_the_start_and_taken_back_after_the_job() {
    let start = Task::Start { path: "a.gcode".into(), mapping: vec![(0, 1), (2, 3)] };
    let (asked, said) = carry_out(&[start], common);
    let map =
        |lines: [&str; 2]| script(&lines.map(|line| format!("SET_PRINT_EXTRUDER_MAP {line}")).join("\n"));
    let expected = [
        QUERY.to_owned(),
        map(["CONFIG_EXTRUDER=0 MAP_EXTRUDER=1", "CONFIG_EXTRUDER=2 MAP_EXTRUDER=3"]),
        r#"printer.print.start {"filename":"a.gcode"}"#.to_owned(),
        map(["CONFIG_EXTRUDER=0 MAP_EXTRUDER=0", "CONFIG_EXTRUDER=2 MAP_EXTRUDER=2"]),
    ];
    assert_eq!((asked.as_slice(), said), (&expected[..], vec![Ok(())]));
}

#[test]
fn what_the_printer_lacks_is_not_tried() {
    // An older Klipper lists its macros alone, and no mapping is among them.
    let old: Answer = |method, _| match method {
        "printer.objects.query" => Ok(json!({"status": {"gcode": {}}})),
        "printer.objects.list" => Ok(json!({"objects": ["gcode_macro my_light", "extruder"]})),
        _ => Ok(json!("ok")),
    };
    let tasks = [
        Task::Start { path: "a.gcode".into(), mapping: vec![(0, 1)] },
        Task::Gcode("MY_LIGHT\nG28".into()),
        Task::Gcode("NO_SUCH".into()),
        Task::Gcode("M600".into()),
    ];
    let (asked, said) = carry_out(&tasks, old);
    assert_eq!(said[0], Err(Trouble::Refused("Tools mapping not enabled".into())));
    assert_eq!(said[1], Ok(()));
    assert_eq!(said[2], Err(Trouble::Failed("The printer does not know NO_SUCH".into())));
    assert!(matches!(&said[3], Err(Trouble::Refused(why)) if why.contains("M600")), "{said:?}");
    let scripts: Vec<_> = asked.iter().filter(|asked| asked.starts_with("printer.gcode")).collect();
    assert_eq!(scripts[0], &script("MY_LIGHT\nG28"));
    assert!(!asked.iter().any(|asked| asked.contains("print.start")), "{asked:?}");
}

#[test]
fn moves_that_break_off_leave_no_mode_behind() {
    let refuses: Answer = |method, params| match method {
        "printer.gcode.script" if params.contains("G91") => {
            Err(refused(RefusalKind::Invalid, "Move out of range"))
        }
        _ => common(method, params),
    };
    let (asked, said) = carry_out(&[Task::Gcode("G91\nG1 X5000\nG90".into())], refuses);
    assert_eq!(said, [Err(Trouble::Failed("Move out of range".into()))]);
    assert_eq!(asked.last().unwrap(), &script("RESTORE_GCODE_STATE NAME=prusa_connect"));
}

#[test]
fn refusals_and_losses_are_told_apart() {
    let start = || Task::Start { path: "a.gcode".into(), mapping: vec![] };
    let gone: Answer = |_, _| Err(refused(RefusalKind::NotFound, "Unable to open file"));
    assert_eq!(carry_out(&[start()], gone).1, [Err(Trouble::Failed("File not found".into()))]);
    let busy: Answer = |_, _| Err(refused(RefusalKind::Invalid, "SD busy"));
    assert_eq!(carry_out(&[start()], busy).1, [Err(Trouble::Failed("SD busy".into()))]);
    let lost: Answer = |what, _| Err(ControlError::Lost { what: what.to_owned(), why: "x".to_owned() });
    assert!(matches!(&carry_out(&[start()], lost).1[..], [Err(Trouble::Unknown(_))]));
    // A process that does not hear is started anew itself.
    let hangs: Answer = |what, _| match what {
        "printer.firmware_restart" => Err(refused(RefusalKind::KlipperGone, "Klippy Host not connected")),
        _ => Ok(json!("ok")),
    };
    let (asked, said) = carry_out(&[Task::Restart], hangs);
    assert_eq!(asked, ["printer.firmware_restart", r#"machine.services.restart {"service":"klipper"}"#]);
    assert_eq!(said, [Ok(())]);
}
