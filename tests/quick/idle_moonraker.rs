//! Moonraker on its Unix socket, before a printer that does nothing and has these cameras, and whatever a test adds.

use crate::stand_in::StandIn;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Answers calls that a test has an answer for: the result, or the number and the words of a refusal.
pub(crate) type Further = Arc<dyn Fn(&str, &Value) -> Option<Result<Value, (i64, String)>> + Send + Sync>;

/// Serves until it is dropped.
pub(crate) struct IdleMoonraker {
    socket: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl IdleMoonraker {
    /// Listens in the printer's data folder, for clients of a printer with these cameras.
    pub(crate) fn start(data: &Path, webcams: &Value) -> Self {
        Self::with(data, webcams, Arc::new(|_, _| None))
    }

    /// The same, with further answers, which count before the usual ones.
    pub(crate) fn with(data: &Path, webcams: &Value, further: Further) -> Self {
        let socket = data.join("comms/moonraker.sock");
        std::fs::create_dir_all(data.join("comms")).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let mut stand_in = StandIn::default();
        stand_in.learn(&json!({"method": "notify_klippy_ready"}));
        stand_in.learn(&json!({"method": "notify_webcams_changed", "params": [{"webcams": webcams}]}));
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (stand_in, further) = (stand_in.clone(), Arc::clone(&further));
                std::thread::spawn(move || serve(stream.unwrap(), &stand_in, &further));
            }
        });
        Self { socket, ended, thread: Some(thread) }
    }
}

impl Drop for IdleMoonraker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: UnixStream, stand_in: &StandIn, further: &Further) {
    let (mut unread, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        unread.extend_from_slice(&piece[..count]);
        while let Some(end) = unread.iter().position(|byte| *byte == 3) {
            let message: Vec<u8> = unread.drain(..=end).collect();
            let request: Value = serde_json::from_slice(&message[..end]).unwrap();
            let (method, id) = (request["method"].as_str().unwrap(), request["id"].as_u64().unwrap());
            let answer = match further(method, &request["params"]) {
                Some(Ok(result)) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
                Some(Err((code, message))) => {
                    json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id})
                }
                None => usual(stand_in, method, id),
            };
            let sent = stream.write_all(&[answer.to_string().as_bytes(), &[3]].concat());
            if sent.is_err() {
                return;
            }
        }
    }
}

fn usual(stand_in: &StandIn, method: &str, id: u64) -> Value {
    match method {
        // Only the vendor's own has it.
        "camera.start_monitor" => json!({
            "jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": id
        }),
        method => stand_in.answer(method, id),
    }
}
