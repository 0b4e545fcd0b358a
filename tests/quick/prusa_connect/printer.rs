//! A printer that does nothing but run G-code, in the way that a test wants, behind a Moonraker with a file in it.

use crate::idle_moonraker::{Further, IdleMoonraker};
use crate::support::http;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

/// What becomes of G-code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// It is done.
    #[default]
    Obey,
    /// Klipper refuses it.
    Refuse,
    /// It takes as long as this is set.
    Wait,
}

#[derive(Default)]
struct Side {
    held: Mutex<(Way, Vec<String>)>,
    changed: Condvar,
}

/// The printer.
pub(super) struct Idle {
    /// Before the rest: whoever is served may hang.
    side: Arc<Side>,
    _moonraker: IdleMoonraker,
}

impl Idle {
    /// Listens in the printer's data folder.
    pub(super) fn start(data: &Path) -> Self {
        let port = serve_files();
        let side: Arc<Side> = Arc::default();
        let own = Arc::clone(&side);
        let further: Further = Arc::new(move |method, params| own.answer(method, params, port));
        Self { side, _moonraker: IdleMoonraker::with(data, &json!([]), further) }
    }

    /// What becomes of G-code from now on, and of what waits.
    pub(super) fn set(&self, way: Way) {
        self.side.held.lock().unwrap().0 = way;
        self.side.changed.notify_all();
    }

    /// The scripts that were run.
    pub(super) fn scripts(&self) -> Vec<String> {
        self.side.held.lock().unwrap().1.clone()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Ok(mut held) = self.side.held.lock() {
            held.0 = Way::Obey;
        }
        self.side.changed.notify_all();
    }
}

impl Side {
    fn answer(&self, method: &str, params: &Value, port: u16) -> Option<Result<Value, (i64, String)>> {
        let objects = json!({
            "webhooks": {"state": "ready", "state_message": "Printer is ready"},
            "print_stats": {"state": "standby", "filename": "", "message": ""},
            "extruder": {"temperature": 21.46, "target": 0.0},
            "heater_bed": {"temperature": 20.0, "target": 0.0},
            "toolhead": {"extruder": "extruder", "homed_axes": ""},
            "idle_timeout": {"state": "Idle"},
        });
        Some(match method {
            "server.config" => Ok(json!({"config": {"server": {"host": "127.0.0.1", "port": port}}})),
            "server.files.roots" => {
                Ok(json!([{"name": "gcodes", "path": "/nowhere/gcodes", "permissions": "rw"}]))
            }
            "machine.system_info" => Ok(json!({"system_info": {"network": {"wlan0": {
                "mac_address": "00:00:5e:00:53:01",
                "ip_addresses": [{"family": "ipv4", "address": "192.0.2.7", "is_link_local": false}],
            }}}})),
            "printer.objects.list" => {
                let names: Vec<&String> = objects.as_object().unwrap().keys().collect();
                Ok(json!({ "objects": names }))
            }
            "printer.objects.query" if params["objects"].get("gcode").is_some() => {
                Ok(json!({"eventtime": 0.0, "status": {"gcode": {"commands": {"M117": {}, "M104": {}}}}}))
            }
            "printer.objects.subscribe" | "printer.objects.query" => {
                Ok(json!({"eventtime": 0.0, "status": objects}))
            }
            "printer.gcode.script" => self.run(params["script"].as_str().unwrap()),
            _ => return None,
        })
    }

    fn run(&self, script: &str) -> Result<Value, (i64, String)> {
        let mut held = self.held.lock().unwrap();
        held.1.push(script.to_owned());
        let held = self.changed.wait_while(held, |(way, _)| *way == Way::Wait).unwrap();
        match held.0 {
            Way::Refuse => Err((400, "Must home axis first: 10.000 0.000 0.000 [0.000]".to_owned())),
            Way::Obey | Way::Wait => Ok(json!("ok")),
        }
    }
}

/// Moonraker's lists of files; the port.
fn serve_files() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Ok(Some(request)) = http::read(&mut reader) {
                    assert!(
                        request.first_line.starts_with("GET /server/files/directory?path=gcodes"),
                        "{}",
                        request.first_line
                    );
                    let file =
                        json!({"filename": "cube.gcode", "size": 12, "modified": 1.7e9, "permissions": "rw"});
                    let disk = json!({"total": 10_000, "used": 4000, "free": 6000});
                    let result = json!({"result": {"dirs": [], "files": [file], "disk_usage": disk}});
                    let body = result.to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all((head + &body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}
