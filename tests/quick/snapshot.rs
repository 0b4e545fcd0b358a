//! `octobridge snapshot`: the picture in a file or a pipe, or the reason why there is none.

use crate::cli::{Printer, text};
use crate::idle_moonraker::IdleMoonraker;
use crate::support::camera::{Answer, Camera, picture};
use crate::support::feed::Feed;
use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;

const PATH: &str = "/webcam/snapshot.jpg";

fn webcam(name: &str, camera: &Camera) -> Value {
    json!({"name": name, "snapshot_url": camera.url()})
}

fn snap(printer: &Printer, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, Output) {
    let variables = variables.iter().copied();
    let output = printer.command(&[&["snapshot"], arguments].concat()).envs(variables).output().unwrap();
    (output.status.code(), text(&output.stderr).to_owned(), output)
}

#[test]
fn a_picture_is_saved_replaced_and_streamed() {
    use std::os::unix::fs::PermissionsExt;
    let (one, other) = (picture(640, 480, 9000), picture(1280, 720, 20_000));
    let cameras = [
        Camera::start(PATH, &[Answer::Whole(one.clone())]),
        Camera::start(PATH, &[Answer::Whole(other.clone())]),
    ];
    let printer = Printer::new("");
    let listed = json!([webcam("case", &cameras[0]), webcam("nozzle", &cameras[1])]);
    let _moonraker = IdleMoonraker::start(&printer.data(), &listed);
    let folder = printer.dir.path().join("pictures");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("now.jpg");
    let path = file.to_str().unwrap();

    let (code, complaint, output) = snap(&printer, &[path], &[]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    let said = text(&output.stdout);
    for part in [path, "10 kB, 640x480", "s old", "camera \"case\"", &cameras[0].url()] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), one);
    assert_ne!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o044, 0, "others may look at it");

    assert_eq!(snap(&printer, &["--camera", "nozzle", path], &[]).0, Some(0));
    assert_eq!(std::fs::read(&file).unwrap(), other);
    assert_eq!(snap(&printer, &[path], &[("CAMERA", "nozzle")]).0, Some(0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");

    for (arguments, jpeg, name) in
        [(&["-"][..], &one, "case"), (&["-", "--camera", "nozzle"], &other, "nozzle")]
    {
        let (code, told, output) = snap(&printer, arguments, &[]);
        assert!(code == Some(0) && output.stdout == *jpeg && told.contains(name), "{told}");
    }
}

#[test]
fn each_reason_for_no_picture_has_its_remedy_and_leaves_the_file() {
    let camera = Camera::start(PATH, &[Answer::Status(502)]);
    let listed = json!([webcam("case", &camera)]);
    for (webcams, arguments, variables, answer, expected, parts) in [
        (Some(&listed), &[][..], &[][..], Answer::Status(502), 1, ["answered 502", "plug it in"]),
        (
            Some(&listed),
            &[],
            &[],
            Answer::Whole(b"no picture at all".repeat(999)),
            1,
            ["not a picture", "JPEG"],
        ),
        (
            Some(&listed),
            &["--camera", "top"],
            &[],
            Answer::Close,
            1,
            ["no camera \"top\"", "(it lists \"case\")"],
        ),
        (Some(&json!([])), &[], &[], Answer::Close, 1, ["lists no camera", "add one in the web interface"]),
        (None, &[], &[], Answer::Close, 1, ["cannot connect to Moonraker", "check that Moonraker runs"]),
        (
            None,
            &[],
            &[("MOONRAKER_URL", "gopher://a")],
            Answer::Close,
            2,
            ["MOONRAKER_URL", "write for example"],
        ),
        (
            None,
            &["--camera", "a"],
            &[("SOURCE", "feed")],
            Answer::Close,
            2,
            ["one camera", "leave --camera out"],
        ),
        (
            None,
            &[],
            &[("SOURCE", "feed"), ("WS_URL", "ws://127.0.0.1:9/{PRINTER_ID}")],
            Answer::Close,
            1,
            ["cannot connect to the feed", "check WS_URL"],
        ),
    ] {
        let printer = Printer::new("");
        let _moonraker = webcams.map(|webcams| IdleMoonraker::start(&printer.data(), webcams));
        camera.answer(&[answer]);
        let file = printer.dir.path().join("now.jpg");
        std::fs::write(&file, "as it was").unwrap();
        let (code, complaint, output) =
            snap(&printer, &[arguments, &[file.to_str().unwrap()]].concat(), variables);
        assert_eq!(code, Some(expected), "{complaint}");
        assert!(parts.iter().all(|part| complaint.contains(part)) && output.stdout.is_empty(), "{complaint}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let camera = Camera::start(PATH, &[Answer::Whole(picture(640, 480, 9000))]);
    let printer = Printer::new("");
    let _moonraker = IdleMoonraker::start(&printer.data(), &json!([webcam("case", &camera)]));
    let (code, complaint, _) = snap(&printer, &["/nowhere/now.jpg"], &[]);
    assert!(code == Some(1) && complaint.contains("cannot write /nowhere/now.jpg"), "{complaint}");
    assert_eq!(snap(&printer, &[], &[]).0, Some(2), "the file must be named");
}

#[tokio::test]
async fn a_feeds_next_picture_is_saved() {
    let jpeg = picture(640, 480, 9000);
    let feed = Feed::plain().await;
    let address = feed.address();
    let printer = Printer::new("");
    let asked = tokio::task::spawn_blocking(move || {
        snap(&printer, &["-"], &[("SOURCE", "feed"), ("WS_URL", &address), ("PRINTER_ID", "A1M-7")])
    });
    let mut connection = tokio::time::timeout(Duration::from_secs(20), feed.accept()).await.unwrap();
    assert!(connection.target.ends_with("/A1M-7"));
    connection.picture(b"no picture").await;
    connection.picture(&jpeg).await;
    let (code, told, output) = asked.await.unwrap();
    assert!(code == Some(0) && output.stdout == jpeg, "{told}");
    assert!(told.contains("640x480") && told.contains("of the feed ws://127.0.0.1"), "{told}");
}
