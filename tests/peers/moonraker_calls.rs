//! What bridges ask of the real Moonraker and the real Klipper host, over each way in.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use octobridge::clock::SystemClock;
use octobridge::printer::{FileChange, FileItem, JobStatus, KlippyState, Observation};
use octobridge::source::control::{
    self, Control, ControlError, Progress, RefusalKind, TransferError, Upload,
};
use octobridge::source::moonraker::{ApiKey, Config, Endpoint, run};
use octobridge::source::{LinkState, SourceStatus};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::support::bed::{Bed, Job, Part, Setup};
use crate::support::wait;

/// A source that runs on a thread of its own, and the handle to it.
struct Source {
    control: Control,
    status: watch::Receiver<SourceStatus>,
    /// How often the connection was lost.
    lost: Arc<AtomicUsize>,
    /// What it told of files.
    changes: Arc<Mutex<Vec<FileChange>>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Source {
    fn start(endpoint: Endpoint, key: Option<&str>) -> Self {
        let (control, requests) = control::channel();
        let (tell, status) = watch::channel(SourceStatus::default());
        let (stop, stopped) = watch::channel(false);
        let lost = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lost);
        let changes = Arc::<Mutex<Vec<FileChange>>>::default();
        let log = Arc::clone(&changes);
        let config = Config { endpoints: vec![endpoint], api_key: key.map(ApiKey::new), version: "0.0.0" };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (send, mut observations) = mpsc::channel(16);
                let watched = run(config, SystemClock::new(), send, tell, requests, stopped);
                tokio::join!(watched, async {
                    while let Some(observed) = observations.recv().await {
                        match observed.what {
                            Observation::Lost { .. } => drop(count.fetch_add(1, Ordering::Relaxed)),
                            Observation::Files(change) => log.lock().unwrap().push(change.as_ref().clone()),
                            _ => {}
                        }
                    }
                });
            });
        });
        Self { control, status, lost, changes, stop, thread: Some(thread) }
    }

    /// Connected, with Klipper ready.
    fn ready(endpoint: Endpoint, key: Option<&str>) -> Self {
        let source = Self::start(endpoint, key);
        source.until(KlippyState::Ready);
        source
    }

    fn losses(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    fn until(&self, state: KlippyState) {
        wait::until(state.name(), Duration::from_secs(30), || {
            let status = self.status.borrow();
            let klippy = status.klippy.as_ref().map(|klippy| klippy.state);
            (status.link == LinkState::Connected && klippy == Some(state)).then_some(())
        });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let _ = self.thread.take().unwrap().join();
    }
}

fn unix(bed: &Bed) -> Endpoint {
    Endpoint::Unix(bed.socket())
}

fn websocket(bed: &Bed) -> Endpoint {
    format!("ws://127.0.0.1:{}/websocket", bed.port()).parse().unwrap()
}

fn go_on(_: u64, _: Option<u64>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn send(control: &Control, path: &str, content: &[u8]) -> Result<control::Uploaded, TransferError> {
    let length = content.len() as u64;
    let upload = Upload { root: "gcodes", path, length, checksum: None, print: false };
    control.upload(&upload, &mut &content[..], &mut go_on)
}

fn fetch(control: &Control, root: &str, path: &str) -> Result<Vec<u8>, TransferError> {
    let mut content = Vec::new();
    control.download(root, path, 64 << 20, &mut content, &mut go_on).map(|_| content)
}

fn refusal(error: &TransferError) -> Option<RefusalKind> {
    error.control().and_then(ControlError::refusal)
}

#[test]
fn a_print_is_started_paused_resumed_and_cancelled() {
    let bed = Bed::up();
    let source = Source::ready(unix(&bed), None);
    let control = &source.control;
    let soon = Some(Duration::from_secs(60));

    let refused = control.gcode("G1 X100", None).wait().unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalKind::Invalid));
    assert!(refused.to_string().contains("Must home axis first"), "{refused}");
    control.gcode("NO_SUCH_COMMAND", None).wait().expect("an unknown command is no error");
    let missing = control.start_print("missing.gcode", soon).wait().unwrap_err();
    assert!(missing.is_not_found(), "{missing}");

    bed.prepare_print("part.gcode", Job::LONG);
    control.start_print("part.gcode", soon).wait().unwrap();
    bed.wait_for("printing", Duration::from_secs(20));
    wait::until("the job in the history", Duration::from_secs(10), || {
        let jobs = control.past_jobs(5).wait().unwrap();
        let job = jobs.first()?;
        (job.file == "part.gcode" && job.status == JobStatus::InProgress).then_some(())
    });
    // What prints is protected.
    let busy = control.delete_file("gcodes", "part.gcode").wait().unwrap_err();
    assert_eq!(busy.refusal(), Some(RefusalKind::Forbidden), "{busy}");
    let busy = send(control, "part.gcode", b"G28\n").unwrap_err();
    assert_eq!(refusal(&busy), Some(RefusalKind::Forbidden), "{busy}");
    control.pause_print(soon).wait().unwrap();
    bed.wait_for("paused", Duration::from_secs(20));
    control.resume_print(soon).wait().unwrap();
    bed.wait_for("printing", Duration::from_secs(20));
    let busy = control.start_print("part.gcode", soon).wait().unwrap_err();
    assert!(busy.to_string().contains("SD busy"), "{busy}");
    control.cancel_print(soon).wait().unwrap();
    bed.wait_for("cancelled", Duration::from_secs(20));
    wait::until("the job's end in the history", Duration::from_secs(10), || {
        let jobs = control.past_jobs(1).wait().unwrap();
        (jobs.len() == 1 && jobs[0].status == JobStatus::Cancelled).then_some(())
    });

    // A limit does not stop what Klipper does.
    let slow = control.gcode("G4 P3000", Some(Duration::from_secs(1))).wait();
    assert!(matches!(slow, Err(ControlError::TimedOut { .. })), "{slow:?}");
    control.emergency_stop().wait().unwrap();
    source.until(KlippyState::Shutdown);
    let down = control.gcode("G28", None).wait().unwrap_err();
    assert_eq!(down.refusal(), Some(RefusalKind::Invalid), "{down}");
    assert!(!down.to_string().contains('\n'), "{down}");
    control.restart_firmware().wait().unwrap();
    source.until(KlippyState::Ready);
    control.restart().wait().unwrap();
    wait::until("Klipper after its restart", Duration::from_secs(30), || {
        control.gcode("M105", Some(Duration::from_secs(5))).wait().ok()
    });
}

#[test]
fn files_pass_byte_for_byte_over_each_way_in() {
    let bed = Bed::up();
    for endpoint in [unix(&bed), websocket(&bed)] {
        let source = Source::ready(endpoint, None);
        let control = &source.control;
        let sliced = bed.slice(&["--layers=2", "--thumbs"]);
        // Larger than every buffer on the way.
        let (head, tail) = sliced.split_at(sliced.find(";LAYER_CHANGE").unwrap());
        let content = [head.as_bytes(), &b"; \x03\r\n--\n".repeat(150_000), tail.as_bytes()].concat();
        let local = bed.root("logs").join("content");
        std::fs::write(&local, &content).unwrap();
        let (sum, length) = octofw::digest::of_file(&local).unwrap();

        let path = r#"Grüße & mehr/#2 50%/my "cube" + ä;x=1.gcode"#;
        let told = Upload { root: "gcodes", path, length, checksum: Some(&sum), print: false };
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&steps);
        let progress: Progress<'_> = &mut |done, all| {
            seen.lock().unwrap().push((done, all));
            ControlFlow::Continue(())
        };
        let uploaded = control.upload(&told, &mut &content[..], progress).unwrap();
        assert_eq!((uploaded.path.as_str(), uploaded.print_started), (path, false));
        let steps = steps.lock().unwrap();
        assert!(steps.len() > 10 && steps.is_sorted() && steps.iter().all(|step| step.1 == Some(length)));

        assert_eq!(fetch(control, "gcodes", path).unwrap(), content);
        let bounded = control.download("gcodes", path, length - 1, &mut Vec::new(), &mut go_on).unwrap_err();
        assert!(matches!(bounded, TransferError::TooLong { .. }), "{bounded}");
        let on_disk = control.local_path("gcodes", path).unwrap().unwrap();
        assert_eq!(std::fs::read(on_disk).unwrap(), content);
        let files = control.files("gcodes").unwrap();
        let found = files.iter().find(|file| file.path == path).unwrap();
        assert!(found.size == length && found.writable && found.modified.is_some());
        let directory = control.directory("gcodes", "Grüße & mehr").unwrap();
        assert_eq!(directory.folders[0].path, "#2 50%");
        let disk = directory.disk.unwrap();
        assert!(disk.free > 0 && disk.free < disk.total);

        let metadata = control.metadata(path).wait().unwrap();
        assert_eq!((metadata.size, metadata.object_height), (Some(length), Some(0.4)));
        assert!(metadata.thumbnails.len() >= 2, "{metadata:?}");
        for thumbnail in &metadata.thumbnails {
            let picture = control.thumbnail(thumbnail, 1 << 20).unwrap();
            assert_eq!(picture.len() as u64, thumbnail.size);
            assert!(picture.starts_with(b"\x89PNG"), "{thumbnail:?}");
        }

        let wrong = Upload { checksum: Some("00"), path: "wrong.gcode", ..told };
        let error = control.upload(&wrong, &mut &content[..], &mut go_on).unwrap_err();
        assert_eq!(refusal(&error), Some(RefusalKind::Checksum), "{error}");
        let error =
            control.upload(&Upload { root: "nope", ..told }, &mut &content[..], &mut go_on).unwrap_err();
        assert_eq!(refusal(&error), Some(RefusalKind::Invalid), "{error}");
        let mut stop =
            |done, _| if done > 200_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let cancelled = Upload { path: "cancelled.gcode", ..told };
        let error = control.upload(&cancelled, &mut &content[..], &mut stop).unwrap_err();
        assert!(matches!(error, TransferError::Cancelled), "{error}");
        let longer = Upload { path: "short.gcode", length: length + 1, checksum: None, ..told };
        let error = control.upload(&longer, &mut &content[..], &mut go_on).unwrap_err();
        assert!(matches!(error, TransferError::Local(_)), "{error}");
        for missing in ["wrong.gcode", "cancelled.gcode", "short.gcode"] {
            let error = fetch(control, "gcodes", missing).unwrap_err();
            assert_eq!(refusal(&error), Some(RefusalKind::NotFound), "{missing}: {error}");
            assert!(!error.to_string().contains("Traceback"), "{error}");
            assert!(control.metadata(missing).wait().unwrap_err().is_not_found());
        }
        let every_byte = (0..=255).collect::<Vec<u8>>().repeat(1000);
        for (name, content) in [("empty.gcode", &[][..]), ("bytes.gcode", &every_byte)] {
            assert_eq!(send(control, name, content).unwrap().path, name);
            assert_eq!(fetch(control, "gcodes", name).unwrap(), content, "{name}");
        }

        control.create_directory("gcodes", "neu ü").wait().unwrap();
        let twice = control.create_directory("gcodes", "neu ü").wait().unwrap_err();
        assert_eq!(twice.refusal(), Some(RefusalKind::Exists), "{twice}");
        control.move_file("gcodes", path, "neu ü/b.gcode").wait().unwrap();
        assert_eq!(fetch(control, "gcodes", "neu ü/b.gcode").unwrap(), content);
        assert!(control.delete_file("gcodes", path).wait().unwrap_err().is_not_found());
        control.delete_file("gcodes", "neu ü/b.gcode").wait().unwrap();
        for folder in ["neu ü", "Grüße & mehr"] {
            control.delete_directory("gcodes", folder, true).wait().unwrap();
        }
        let gone = control.directory("gcodes", "neu ü").unwrap_err();
        assert_eq!(refusal(&gone), Some(RefusalKind::NotFound), "{gone}");
    }
}

#[test]
fn a_file_of_unknown_length_passes_and_parts_of_it_come_back() {
    let bed = Bed::up();
    let source = Source::ready(websocket(&bed), None);
    let control = &source.control;
    let content = b"; \x03\r\n--\n".repeat(120_000);
    let length = content.len() as u64;
    let told = Upload { root: "gcodes", path: "a b/c.gcode", length, checksum: None, print: false };
    assert_eq!(control.upload_to_end(&told, &mut &content[..], &mut go_on).unwrap().path, "a b/c.gcode");
    assert_eq!(fetch(control, "gcodes", "a b/c.gcode").unwrap(), content);
    for (from, most) in [(0, 1000), (length - 40_000, 40_000), (length - 10, 40_000), (length, 10)] {
        let mut part = Vec::new();
        control
            .download_part("gcodes", "a b/c.gcode", from, most, &mut |piece| part.extend_from_slice(piece))
            .unwrap();
        let end = (from + most).min(length) as usize;
        assert!(part == content[from as usize..end], "{from} {most}: {} bytes", part.len());
    }
    let mut stop = |done, _| if done > 200_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let stopped = Upload { path: "a b/stopped.gcode", ..told };
    let error = control.upload_to_end(&stopped, &mut &content[..], &mut stop).unwrap_err();
    assert!(matches!(error, TransferError::Cancelled), "{error}");
    let long = Upload { path: "a b/long.gcode", length: length - 1, ..told };
    let error = control.upload_to_end(&long, &mut &content[..], &mut go_on).unwrap_err();
    assert!(matches!(error, TransferError::TooLong { .. }), "{error}");
    // Nothing is left of what broke off.
    let directory = control.directory("gcodes", "a b").unwrap();
    let names: Vec<&str> = directory.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["c.gcode"]);
}

#[test]
fn each_change_of_a_file_is_told_once_it_is_complete() {
    let bed = Bed::up();
    let source = Source::ready(unix(&bed), None);
    let control = &source.control;
    let next = |what: &str| {
        wait::until(what, Duration::from_secs(20), || {
            let mut changes = source.changes.lock().unwrap();
            // Moonraker's pictures of what it scans come and go as they like.
            changes.retain(|change| !format!("{change:?}").contains(".thumbs"));
            (!changes.is_empty()).then(|| changes.remove(0))
        })
    };
    let is = |item: &FileItem, path: &str, is_folder: bool, size: u64| {
        let same = (item.path.as_str(), item.is_folder, item.writable) == (path, is_folder, true);
        assert!(same && (is_folder || item.size == size) && item.modified.is_some(), "{item:?}");
    };
    control.create_directory("gcodes", "d").wait().unwrap();
    let FileChange::Created(item) = next("a folder") else { panic!("no creation") };
    is(&item, "d", true, 0);
    send(control, "d/a.gcode", b"G28\n").unwrap();
    let FileChange::Created(item) = next("a file") else { panic!("no creation") };
    is(&item, "d/a.gcode", false, 4);
    send(control, "d/a.gcode", b"G28\nG28\n").unwrap();
    // Moonraker says so of an upload in any case.
    let FileChange::Created(item) = next("a file again") else { panic!("no creation") };
    is(&item, "d/a.gcode", false, 8);
    control.move_file("gcodes", "d/a.gcode", "b.gcode").wait().unwrap();
    let FileChange::Moved { from, to } = next("a move") else { panic!("no move") };
    assert_eq!(from, "d/a.gcode");
    is(&to, "b.gcode", false, 8);
    control.delete_file("gcodes", "b.gcode").wait().unwrap();
    assert_eq!(next("a deletion"), FileChange::Deleted { path: "b.gcode".to_owned() });
    control.delete_directory("gcodes", "d", true).wait().unwrap();
    assert_eq!(next("a folder's deletion"), FileChange::Deleted { path: "d".to_owned() });
    // Somebody copies a file there, past Moonraker.
    let copy = bed.root("gcodes").join("c.gcode");
    std::fs::write(&copy, "G28\n").unwrap();
    let FileChange::Created(item) = next("a copy") else { panic!("no creation") };
    is(&item, "c.gcode", false, 4);
    std::fs::write(&copy, "G28\nG28\n").unwrap();
    let FileChange::Modified(item) = next("a change") else { panic!("no modification") };
    is(&item, "c.gcode", false, 8);
}

/// Five thousand files of long names: the list is longer than a message of the source's connection may be.
#[test]
fn a_long_list_of_files_comes_whole_and_disturbs_nothing() {
    const COUNT: usize = 5000;
    let bed = Bed::up();
    let folder = bed.root("gcodes").join("many");
    std::fs::create_dir(&folder).unwrap();
    let long = "long name ".repeat(20);
    for number in 0..COUNT {
        std::fs::write(folder.join(format!("{long}{number}.gcode")), "G28\n").unwrap();
    }
    for endpoint in [unix(&bed), websocket(&bed)] {
        let source = Source::ready(endpoint, None);
        let control = &source.control;
        let files = control.files("gcodes").unwrap();
        let all = files.iter().filter(|file| file.path.starts_with("many/")).count();
        assert_eq!(all, COUNT);
        assert!(files.iter().map(|file| file.path.len()).sum::<usize>() > 1 << 20);
        let directory = control.directory("gcodes", "many").unwrap();
        assert_eq!(directory.files.len(), COUNT);
        // The same over the source's own connection is refused, and that is all.
        let refused = control.call("server.files.list", &json!({"root": "gcodes"}), None).wait().unwrap_err();
        assert!(refused.to_string().contains("ask for less"), "{refused}");
        assert!(!control.roots().wait().unwrap().is_empty());
        assert_eq!(source.losses(), 0);
    }
}

#[test]
fn the_database_cameras_macros_and_the_network_are_there() {
    let bed = Bed::up_with(Setup {
        moonraker_conf: "[webcam front door]\nlocation: printer\nstream_url: /webcam/?action=stream\nsnapshot_url: /webcam/?action=snapshot\nrotation: 90\nflip_horizontal: True\n",
        ..Setup::default()
    });
    let source = Source::ready(unix(&bed), None);
    let control = &source.control;
    let value = json!({"text": "ü\u{1F600}", "list": [1, 2.5, null, true], "nested": {"deep.er": []}});
    for key in [&["settings"][..], &["a", "b", "c"], &["with.dot", "x y"]] {
        control.database_put("octo test", key, &value).wait().unwrap();
        assert_eq!(control.database_get("octo test", key).wait().unwrap(), value, "{key:?}");
    }
    let whole = control.database_get("octo test", &[]).wait().unwrap();
    assert_eq!(whole["with.dot"]["x y"], value);
    assert_eq!(whole["a"]["b"]["c"], value);
    assert!(control.namespaces().wait().unwrap().contains(&"octo test".to_owned()));
    control.database_delete("octo test", &["with.dot", "x y"]).wait().unwrap();
    for (namespace, key) in [("octo test", &["with.dot", "x y"][..]), ("octo test", &["no"]), ("no", &["no"])]
    {
        let error = control.database_get(namespace, key).wait().unwrap_err();
        assert!(error.is_not_found(), "{key:?}: {error}");
    }
    let protected = control.database_put("moonraker", &["a"], &value).wait().unwrap_err();
    assert_eq!(protected.refusal(), Some(RefusalKind::Forbidden), "{protected}");

    let cameras = control.webcams().wait().unwrap();
    let [camera] = &cameras[..] else { panic!("{cameras:?}") };
    assert_eq!((&*camera.name, &*camera.snapshot_url), ("front door", "/webcam/?action=snapshot"));
    assert!(camera.enabled && camera.rotation == 90 && camera.flip_horizontal && !camera.flip_vertical);
    let macros = control.macros().wait().unwrap();
    assert!(macros.contains(&"LOAD_FILAMENT".to_owned()), "{macros:?}");
    let roots = control.roots().wait().unwrap();
    let gcodes = roots.iter().find(|root| root.name == "gcodes").unwrap();
    assert!(gcodes.writable && gcodes.path == bed.root("gcodes"));
    assert_eq!(control.past_jobs(10).wait().unwrap(), []);
    // The sandbox of a test may have no network but loopback, which Moonraker leaves out.
    let mac = |interface: &control::Interface| interface.mac.as_ref().is_none_or(|mac| mac.len() == 17);
    assert!(control.network().wait().unwrap().iter().all(mac));
    let missing = control.call("server.no_such_method", &json!(null), None).wait().unwrap_err();
    assert_eq!(missing.refusal(), Some(RefusalKind::MethodMissing), "{missing}");
}

#[test]
fn forced_logins_are_passed_with_a_key_or_over_the_unix_socket() {
    let bed = Bed::up_with(Setup { logins: true, ..Setup::default() });
    // Over the Unix socket nothing is to be set: Moonraker tells the key for the transfers.
    let source = Source::ready(unix(&bed), None);
    let control = &source.control;
    control
        .call("access.post_user", &json!({"username": "owner", "password": "secret-1234"}), None)
        .wait()
        .unwrap();
    assert_eq!(send(control, "a.gcode", b"G28\n").unwrap().path, "a.gcode");
    assert_eq!(fetch(control, "gcodes", "a.gcode").unwrap(), b"G28\n");
    let key = control.call("access.get_api_key", &json!(null), None).wait().unwrap();
    let key = key.as_str().unwrap().to_owned();

    // Over the WebSocket a key is needed, and opens the transfers, too.
    let remote = Source::ready(websocket(&bed), Some(&key));
    assert_eq!(fetch(&remote.control, "gcodes", "a.gcode").unwrap(), b"G28\n");
    assert_eq!(send(&remote.control, "b.gcode", b"G28\n").unwrap().path, "b.gcode");
    for wrong in [None, Some("00000000000000000000000000000000")] {
        let barred = Source::start(websocket(&bed), wrong);
        let error =
            wait::until("the refusal", Duration::from_secs(20), || barred.status.borrow().last_error.clone());
        assert!(error.contains("MOONRAKER_API_KEY"), "{error}");
        let asked = Instant::now();
        let refused = barred.control.gcode("G28", None).wait().unwrap_err();
        assert!(matches!(&refused, ControlError::NotConnected { .. }), "{refused}");
        assert!(refused.to_string().contains("MOONRAKER_API_KEY"), "{refused}");
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert!(matches!(send(&barred.control, "c.gcode", b""), Err(TransferError::Control(_))));
    }

    // The key is replaced: what was told before is no good any more, and the new one is found.
    let new = control.call("access.post_api_key", &json!({}), None).wait().unwrap();
    assert_ne!(new.as_str(), Some(key.as_str()));
    assert_eq!(fetch(control, "gcodes", "b.gcode").unwrap(), b"G28\n");
    assert_eq!(send(control, "c.gcode", b"G28\n").unwrap().path, "c.gcode");
    for shown in [format!("{control:?}"), format!("{:?}", remote.control)] {
        assert!(!shown.contains(&key) && !shown.contains(new.as_str().unwrap()));
    }
}

#[test]
fn a_moonraker_that_is_killed_ends_what_is_under_way() {
    for endpoint in [unix, websocket] {
        let bed = Bed::up();
        let source = Source::ready(endpoint(&bed), None);
        let control = source.control.clone();
        let under_way = control.gcode("G4 P60000", None);
        let quick = control.roots().wait().unwrap();
        assert!(!quick.is_empty(), "a call does not wait for another");
        bed.kill(Part::Moonraker);
        let killed = Instant::now();
        let error = under_way.wait().unwrap_err();
        assert!(matches!(error, ControlError::Lost { .. }), "{error}");
        wait::until("the source to notice", Duration::from_secs(10), || {
            (source.status.borrow().link == LinkState::Retrying).then_some(())
        });
        let error = control.pause_print(None).wait().unwrap_err();
        let ControlError::NotConnected { why } = &error else { panic!("{error}") };
        assert!(why.contains("Moonraker"), "{why}");
        let error = fetch(&control, "gcodes", "a.gcode").unwrap_err();
        assert!(matches!(error, TransferError::Control(ControlError::NotConnected { .. })), "{error}");
        assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    }
}
