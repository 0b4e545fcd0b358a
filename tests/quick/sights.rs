//! What the source sees of the whole machine in the recordings, at chosen times. The expected values were read
//! from the recordings by hand.

use crate::player::watch;
use crate::stand_in::StandIn;
use crate::transcript::Transcript;
use octobridge::printer::{Activity, Fan, FilamentSensor, Heat, Observation, PrintState, Snapshot};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

struct Sights(Vec<(f64, Observation)>);

impl Sights {
    fn of(recording: &str) -> Self {
        Self::with(recording, StandIn::default())
    }

    fn with(recording: &str, stand_in: StandIn) -> Self {
        let path = format!("{}/tests/vectors/moonraker/{recording}.jsonl", env!("CARGO_MANIFEST_DIR"));
        Self(watch(&Transcript::load(Path::new(&path)), stand_in))
    }

    fn snapshots(&self) -> impl DoubleEndedIterator<Item = (f64, &Arc<Snapshot>)> {
        self.0.iter().filter_map(|(t, observation)| match observation {
            Observation::Seen(snapshot) => Some((*t, snapshot)),
            _ => None,
        })
    }

    /// The last sight up to that time.
    #[track_caller]
    fn at(&self, time: f64) -> &Snapshot {
        let mut before = self.snapshots().filter(|(t, _)| *t <= time);
        before.next_back().unwrap_or_else(|| panic!("nothing seen up to {time}")).1
    }

    fn console(&self) -> Vec<&str> {
        let lines = self.0.iter().filter_map(|(_, observation)| match observation {
            Observation::Console(line) => Some(&**line),
            _ => None,
        });
        lines.collect()
    }
}

/// Temperature and target of each toolhead, by number.
fn nozzles(snapshot: &Snapshot) -> Vec<(u8, f64, f64)> {
    let toolheads = snapshot.machine.toolheads.iter();
    toolheads
        .map(|toolhead| (toolhead.number, toolhead.heat.temperature.unwrap(), toolhead.heat.target.unwrap()))
        .collect()
}

fn heat(heat: Option<Heat>) -> (f64, f64) {
    let heat = heat.unwrap();
    (heat.temperature.unwrap(), heat.target.unwrap())
}

#[test]
fn four_toolheads_are_seen_with_the_one_in_use() {
    let sights = Sights::of("multi_tool");
    // Idle, just connected.
    let seen = sights.at(2.0);
    assert_eq!(nozzles(seen), [(0, 25.0, 0.0), (1, 25.0, 0.0), (2, 25.0, 0.0), (3, 25.0, 0.0)]);
    assert_eq!(heat(seen.machine.bed), (25.0, 0.0));
    assert_eq!(seen.machine.activity, Some(Activity::Idle));
    assert_eq!(seen.print.as_ref().unwrap().metadata, None);
    // The third toolhead was taken at 29.497, the fourth not yet heated.
    let seen = sights.at(30.0);
    assert_eq!(nozzles(seen), [(0, 199.87, 200.0), (1, 200.19, 200.0), (2, 184.55, 200.0), (3, 184.34, 0.0)]);
    assert_eq!(seen.machine.active_toolhead, Some(2));
    assert_eq!(seen.machine.toolhead().unwrap().heat.power, Some(0.5070563415309135));
    assert_eq!(heat(seen.machine.bed), (59.67, 60.0));
    assert_eq!(seen.machine.motion.homed_axes.as_deref(), Some("xyz"));
    assert_eq!(seen.machine.activity, Some(Activity::Busy));
    let sensors: Vec<_> =
        seen.machine.filament_sensors.iter().map(|sensor| (&*sensor.name, sensor.value)).collect();
    let filled = FilamentSensor { detected: Some(true), enabled: Some(true) };
    let names = ["filament_0", "filament_1", "filament_2", "filament_3"];
    assert_eq!(sensors, names.map(|name| (name, filled)));
    // The end: all off, the fourth still in use.
    let seen = sights.at(61.0);
    assert_eq!(nozzles(seen).iter().map(|nozzle| nozzle.2).sum::<f64>(), 0.0);
    assert_eq!((seen.machine.active_toolhead, heat(seen.machine.bed).1), (Some(3), 0.0));
}

#[test]
fn the_whole_of_a_print_is_seen() {
    let sights = Sights::of("print_complete");
    let seen = sights.at(22.9);
    assert_eq!(nozzles(seen), [(0, 199.92, 200.0)]);
    assert_eq!(heat(seen.machine.bed), (59.85, 60.0));
    assert_eq!(seen.machine.part_fan(), Some(Fan { speed: Some(1.0), rpm: None }));
    let chamber = Heat { temperature: Some(28.01), ..Heat::default() };
    assert_eq!(seen.machine.chamber(), Some(chamber), "the sensor called cavity");
    let motion = &seen.machine.motion;
    assert_eq!(motion.position, Some([150.0, 150.0, 0.4]));
    assert_eq!((motion.speed, motion.speed_factor, motion.flow_factor), (Some(60.0), Some(1.0), Some(1.0)));
    let print = seen.print.as_ref().unwrap();
    assert_eq!((print.state, print.file.as_deref()), (PrintState::Printing, Some("cube.gcode")));
    assert_eq!((print.layer, print.layers), (Some(2), Some(5)));
    assert_eq!((print.file_position, print.filament_used), (Some(21690), Some(9.87012)));
    assert_eq!((print.file_progress, print.display_progress), (Some(0.9070759451321512), Some(0.2)));
    assert_eq!(print.slicer_progress, Some(0.2));
    let progress = print.progress.unwrap();
    assert!((progress - 682.0 / 2452.0).abs() < 1e-9, "from byte 21008 to byte 23460: {progress}");
    let metadata = print.metadata.as_ref().unwrap();
    assert_eq!((metadata.size, metadata.slicer.as_deref()), (Some(23912), Some("OrcaSlicer")));
    assert_eq!(metadata.estimated_time.unwrap().as_secs(), 39);
    assert_eq!((metadata.object_height, metadata.layer_height), (Some(1.0), Some(0.2)));
    assert_eq!((metadata.filament_total, metadata.filament_weight), (Some(39.36), Some(0.12)));
    let pictures: Vec<_> =
        metadata.thumbnails.iter().map(|picture| (picture.width, picture.path.as_str())).collect();
    assert_eq!(pictures, [(32, ".thumbs/cube-32x32.png"), (300, ".thumbs/cube-300x300.png")]);
    // What the display falls back to, before the first M73 and when the job is over, is not the slicer's.
    let slicers = |time| sights.at(time).print.as_ref().unwrap().slicer_progress;
    assert_eq!([5.0, 18.3, 18.6].map(slicers), [None, Some(0.0), Some(0.0)]);
    assert_eq!((slicers(38.0), slicers(40.5)), (Some(0.8), None));
    assert!(sights.console().contains(&"Done printing file"));
    assert!(!sights.console().iter().any(|line| line.contains("T0:")), "{:?}", sights.console());
    // Another command has unloaded the file.
    let seen = sights.at(41.0);
    let print = seen.print.as_ref().unwrap();
    assert_eq!((print.state, &print.file, &print.metadata), (PrintState::Standby, &None, &None));
    assert_eq!(nozzles(seen)[0].1, 182.16);
}

/// In a pause the display falls back to the position in the file.
#[test]
fn the_slicers_progress_stands_in_a_pause() {
    let sights = Sights::of("filament");
    let print = |time| sights.at(time).print.clone().unwrap();
    for (time, display, slicers) in [(18.6, 0.2, 0.2), (28.9, 0.2986846326596086, 0.2), (34.9, 0.4, 0.4)] {
        let print = print(time);
        assert_eq!((print.display_progress, print.slicer_progress), (Some(display), Some(slicers)), "{time}");
    }
}

#[test]
fn a_filament_change_is_seen_as_it_goes() {
    let sights = Sights::of("filament");
    let detected = |time| sights.at(time).machine.filament_sensors[0].value.detected;
    let paused = |time| sights.at(time).machine.pause_requested;
    let state = |time| sights.at(time).print.as_ref().unwrap().state;
    assert_eq!(sights.at(18.3).prompt, None);
    let prompt = sights.at(18.5).prompt.clone().unwrap();
    assert_eq!((&*prompt.title, &*prompt.text), ("Filament change", "Load filament, then resume"));
    let buttons: Vec<_> = prompt.buttons.iter().map(|button| (&*button.label, &*button.gcode)).collect();
    assert_eq!(buttons, [("Resume", "RESUME")]);
    // Klipper says that it pauses before the print's state does.
    assert_eq!((paused(18.5), state(18.5)), (Some(false), PrintState::Printing));
    assert_eq!((paused(18.6), state(18.6)), (Some(true), PrintState::Printing));
    assert_eq!((paused(19.4), state(19.4)), (Some(true), PrintState::Paused));
    assert_eq!(sights.at(18.6).machine.motion.speed, Some(20.0), "1200 mm/min");
    assert_eq!(sights.at(18.6).message.as_deref(), Some("Change filament T0"));
    assert_eq!((paused(22.4), state(22.4)), (Some(false), PrintState::Printing));
    assert_eq!((detected(24.4), detected(24.6), detected(28.2), detected(28.4)), {
        (Some(true), Some(false), Some(false), Some(true))
    });
    assert_eq!(state(26.0), PrintState::Paused, "the sensor's doing");
}

#[test]
fn a_dialog_and_the_console_are_seen() {
    let sights = Sights::of("messages");
    let mut prompts: Vec<_> = sights.snapshots().map(|(_, seen)| seen.prompt.clone()).collect();
    prompts.dedup();
    let [None, Some(prompt), None] = &prompts[..] else { panic!("{prompts:?}") };
    assert_eq!((&*prompt.title, &*prompt.text), ("Choose", "Which one?"));
    let buttons: Vec<_> = prompt.buttons.iter().map(|button| (&*button.label, &*button.gcode)).collect();
    assert_eq!(buttons, [("Yes", "M117 yes"), ("No", "M117 no"), ("Later", "M117 later")]);
    let console = sights.console();
    let first =
        ["echo: said by M118", "!! something is wrong", "echo: an echo", "// action:notification look here"];
    assert_eq!(console[..4], first);
    let line = "// stepper: stepper_x:0.000000 stepper_y:0.000000 stepper_z:0.000000";
    assert!(console.contains(&line), "a line of several: {console:?}");
    assert!(console.contains(&"X:0.000 Y:0.000 Z:0.000 E:0.000"));
    assert!(!console.iter().any(|line| line.contains("B:25.0 /0.0")), "{console:?}");
    assert_eq!(sights.at(0.8).message.as_deref(), Some("Hello printer"));
}

#[test]
fn the_cameras_are_seen_as_they_come_and_go() {
    let mut stand_in = StandIn::default();
    stand_in.learn(&json!({"method": "notify_klippy_ready"}));
    let sights = Sights::with("webcams", stand_in);
    let mut lists: Vec<_> = sights.snapshots().map(|(_, seen)| seen.webcams.clone()).collect();
    lists.dedup();
    let names: Vec<Vec<_>> = lists
        .iter()
        .map(|list| list.iter().map(|webcam| (&*webcam.name, webcam.rotation)).collect())
        .collect();
    assert_eq!(
        names,
        [
            vec![],
            vec![("chamber", 90)],
            vec![("chamber", 90), ("nozzle", 0)],
            vec![("chamber", 270), ("nozzle", 0)],
            vec![("chamber", 270)],
            vec![],
        ]
    );
    let [chamber, nozzle] = &lists[2][..] else { panic!("{:?}", lists[2]) };
    assert_eq!(&*chamber.snapshot_url, "/webcam/?action=snapshot");
    assert_eq!((chamber.enabled, chamber.flip_horizontal, chamber.flip_vertical), (true, true, false));
    assert_eq!(chamber.uid.as_deref(), Some("982a8849-f786-49b0-a536-159ac405bbeb"));
    assert_eq!(&*nozzle.stream_url, "http://127.0.0.1:8080/webrtc");
}
