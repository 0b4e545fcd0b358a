//! The cameras of the recordings. What one has besides its identity is taken from the request that tells it: no step does.

use super::play::Actor;
use super::stage::{Command, Stage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use octobridge::bridge::prusa_connect::rehearsal::{Ended, Made};
use octobridge::bridge::prusa_connect::{CameraRehearsal, CameraSheet};
use serde_json::Value;

/// The server that cameras talk to.
const CONNECT: &str = "connect";

struct Cameras {
    /// The camera, from the first step on that is about it.
    camera: Option<CameraRehearsal>,
}

/// The cameras of a vector.
pub(crate) fn actor(_: &Value) -> Box<dyn Actor> {
    Box::new(Cameras { camera: None })
}

impl Actor for Cameras {
    fn act(&mut self, stage: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>> {
        let registers = match action {
            "register_camera" => true,
            "upload_snapshot" => false,
            _ => return None,
        };
        let camera = self.camera.get_or_insert_with(|| begin(stage, registers, step));
        if !registers {
            camera.demand(stage.now());
        }
        let done = match camera.next(stage.now()) {
            None => Ok(()),
            Some(made) if (made.path == "/p/camera") != registers => Err(format!("{} came", made.path)),
            Some(made) => {
                // What carries requests adds these.
                let mut headers = made.headers;
                if !headers.iter().any(|(name, _)| *name == "User-Agent") {
                    headers.push(("User-Agent", "octobridge".to_owned()));
                }
                let jpeg = step["jpeg_base64"].as_str().map(|text| STANDARD.decode(text).unwrap());
                let made = Made { headers, body: made.body.or(jpeg), ..made };
                stage.request(CONNECT, made).map(|answer| camera.answered(answer, stage.now()))
            }
        };
        stage.camera = Some((camera.token().map(str::to_owned), Some(camera.fingerprint().to_owned())));
        Some(done)
    }

    fn carry_out(&mut self, _: &mut Stage<'_>, _: &Command, _: &Value) -> Option<Result<Ended, String>> {
        None
    }
}

/// The camera that the first recorded request to a camera's path is about.
fn begin(stage: &Stage<'_>, registers: bool, step: &Value) -> CameraRehearsal {
    let mut requests = stage.vector["expected_requests"].as_array().unwrap().iter();
    let path = if registers { "/p/camera" } else { "/c/snapshot" };
    let told = requests.find(|request| request["path"].as_str().is_some_and(|known| known.starts_with(path)));
    let told = told.cloned().unwrap_or_default();
    let header = |name: &str| {
        let mut headers = told["headers"].as_array().into_iter().flatten();
        headers.find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str()).unwrap_or_default().to_owned()
    };
    let config = &told["body_json"]["config"];
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    let printer = &stage.vector["inputs"]["printer"];
    if !registers {
        let sheet = CameraSheet { fingerprint: header("Fingerprint"), ..CameraSheet::default() };
        return CameraRehearsal::new(sheet, printer, Some(&header("Token")), false, stage.now());
    }
    let mut settings = Vec::new();
    for name in ["resolution", "rotation", "exposure", "focus"] {
        if let Some(value) = config.get(name) {
            settings.push((name, value.clone()));
        }
    }
    let number = |size: &Value, name: &str| size[name].as_u64().unwrap() as u16;
    let sizes = told["body_json"]["options"]["available_resolutions"].as_array().into_iter().flatten();
    let sheet = CameraSheet {
        name: step["name"].as_str().map_or_else(|| text("name"), str::to_owned),
        id: step["camera_id"].as_str().unwrap_or_default().to_owned(),
        trigger: text("trigger_scheme"),
        settings,
        resolutions: sizes.map(|size| [number(size, "width"), number(size, "height")]).collect(),
        ..CameraSheet::default()
    };
    CameraRehearsal::new(sheet, printer, step["existing_token"].as_str(), true, stage.now())
}
