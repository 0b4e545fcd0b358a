//! Files from the chat and to the printer, through the whole program: lists, the question before a print, uploads.

use crate::stand_in::StandIn;
use crate::support::commanded::{Commanded, OWNER, number, words};
use crate::support::http;
use crate::support::wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, Message};

const SOON: Duration = Duration::from_secs(30);

/// What the printer has and was told.
#[derive(Debug, Default)]
struct World {
    files: BTreeMap<String, Vec<u8>>,
    told: Vec<(String, Value)>,
}

/// Moonraker with its WebSocket and its HTTP on one port, before a printer that does nothing.
struct Moonraker {
    port: u16,
    world: Arc<Mutex<World>>,
}

impl Moonraker {
    fn start(files: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = files.iter().map(|name| ((*name).to_owned(), b"G28\n".to_vec())).collect();
        let world = Arc::new(Mutex::new(World { files, told: Vec::new() }));
        let ours = Arc::clone(&world);
        // It ends with the test program: nobody can tell a listener to stop.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, world) = (stream.unwrap(), Arc::clone(&ours));
                std::thread::spawn(move || {
                    let mut first = [0; 14];
                    let read = stream.peek(&mut first).unwrap_or_default();
                    match &first[..read] {
                        b"GET /websocket" => talk(stream, &world),
                        _ => serve(&stream, &world),
                    }
                });
            }
        });
        Self { port, world }
    }

    fn address(&self) -> String {
        format!("ws://127.0.0.1:{}/websocket", self.port)
    }

    /// The parameters of the calls of that method.
    fn told(&self, method: &str) -> Vec<Value> {
        let world = self.world.lock().unwrap();
        world.told.iter().filter(|(told, _)| told == method).map(|(_, params)| params.clone()).collect()
    }
}

/// JSON-RPC until the client is gone.
fn talk(stream: TcpStream, world: &Mutex<World>) {
    let mut stand_in = StandIn::default();
    stand_in.learn(&json!({"method": "notify_klippy_ready"}));
    let idle =
        json!({"print_stats": {"state": "standby", "filename": ""}, "virtual_sdcard": {"progress": 0.0}});
    stand_in.learn(&json!({"method": "notify_status_update", "params": [idle, 1.0]}));
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let Message::Text(text) = message else { continue };
        let request: Value = serde_json::from_str(&text).unwrap();
        let (method, id) = (request["method"].as_str().unwrap(), request["id"].as_u64().unwrap());
        let mut world = world.lock().unwrap();
        let result = match method {
            "server.config" => Some(json!({"config": {"server": {"max_upload_size": 1024}}})),
            "server.files.metadata" => {
                let name = request["params"]["filename"].as_str().unwrap_or_default();
                let known = world.files.get(name);
                known.map(|bytes| json!({"filename": name, "size": bytes.len(), "modified": 5.0, "estimated_time": 5400.0}))
            }
            "printer.print.start" => {
                world.told.push((method.to_owned(), request["params"].clone()));
                Some(json!("ok"))
            }
            _ => None,
        };
        let answer = match result {
            Some(result) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
            None if method == "server.files.metadata" => refused("Metadata not available for <it>", id),
            // Only the vendor's own has it.
            None if method == "camera.start_monitor" => refused("Method not found", id),
            None => stand_in.answer(method, id),
        };
        drop(world);
        if socket.send(Message::text(answer.to_string())).is_err() {
            return;
        }
    }
}

fn refused(why: &str, id: u64) -> Value {
    json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": why}, "id": id})
}

/// Requests over HTTP until the client is gone.
fn serve(stream: &TcpStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = http::read(&mut reader) {
        let target = request.first_line.split(' ').nth(1).unwrap().to_owned();
        let mut world = world.lock().unwrap();
        let answer = if target.starts_with("/server/files/directory") {
            let age = |index: usize| 1_795_000_000.0 - index as f64;
            let of = |(index, (name, bytes)): (usize, (&String, &Vec<u8>))| json!({"filename": name, "size": bytes.len(), "modified": age(index), "permissions": "rw"});
            let files: Vec<Value> = world.files.iter().enumerate().map(of).collect();
            json!({"result": {"dirs": [], "files": files}})
        } else if target == "/server/files/roots" {
            json!({"result": []})
        } else if target == "/server/files/upload" {
            let body = String::from_utf8(request.body).unwrap();
            let name =
                body.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
            let part =
                body.split("filename=\"").nth(1).and_then(|rest| rest.split("\r\n\r\n").nth(1)).unwrap();
            let content = part.split("\r\n--").next().unwrap().as_bytes().to_vec();
            world.files.insert(name.clone(), content);
            json!({"item": {"path": name, "root": "gcodes"}, "print_started": false, "action": "create_file"})
        } else {
            panic!("no answer to {target}");
        };
        drop(world);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        let mut stream = stream;
        if stream.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_file_is_chosen_from_pages_and_printed_after_a_question() {
    let names: Vec<String> = (10..33).map(|number| format!("part{number}.gcode")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["notes.txt"]).collect();
    let printer = Moonraker::start(&names);
    let person = Commanded::start(&printer.address(), &[]);
    let list = person.ask("/files", "Files, page 1 of 3");
    assert!(words(&list).contains("\n1. part10.gcode - 1 kB") && !words(&list).contains("notes"), "{list}");
    person.press(&list, "older >");
    let list = person.becomes(&list, "Files, page 2 of 3\n1. part20.gcode");
    person.press(&list, "< newer");
    let list = person.becomes(&list, "Files, page 1 of 3\n1. part10.gcode");
    person.press(&list, "3");
    let question = person.answer(number(&list), "Print part12.gcode?\nabout 1h 30m");
    person.press(&question, "No");
    person.becomes(&question, "Nothing was done.");
    assert!(printer.told("printer.print.start").is_empty());
    let question = person.ask("/print PART12", "Print part12.gcode?");
    person.press(&question, "Print");
    person.becomes(&question, "Printing part12.gcode.");
    assert_eq!(printer.told("printer.print.start"), [json!({"filename": "part12.gcode"})]);
    person.ask("/print nothing", "There is no file nothing.");
}

#[test]
fn a_file_that_is_sent_is_put_on_the_printer() {
    let printer = Moonraker::start(&["old.gcode"]);
    let person = Commanded::start(&printer.address(), &[]);
    let sent = person.server.send_file(OWNER, OWNER, "../../New part.GCODE", b"G28\nG1 X5\n");
    person.answer(sent, "New part.gcode is on the printer (1 kB).");
    let question = person.answer(sent, "Print New part.gcode?");
    assert!(question["reply_markup"]["inline_keyboard"][0][0]["callback_data"].is_string());
    let files = printer.world.lock().unwrap().files.clone();
    assert_eq!(files.get("New part.gcode").unwrap(), b"G28\nG1 X5\n");
    let sent = person.server.send_file(OWNER, OWNER, "old.gcode", b"G29\n");
    person.answer(sent, "old.gcode is on the printer (1 kB, in place of the one of that name).");
    person.answer(sent, "Print old.gcode?");
    let sent = person.server.send_large_file(OWNER, OWNER, "large.gcode", b"G28\n", 21_000_000);
    person.answer(sent, "Telegram hands out no more than 20 MB to bots.");
    // What is no G-code is nothing for the printer.
    let sent = person.server.send_file(OWNER, OWNER, "cat.stl", b"solid");
    person.ask("/id", "Chat 7");
    wait::until("all updates", SOON, || (person.server.waiting_updates() == 0).then_some(()));
    let of_it = person.server.messages(OWNER).into_iter().filter(|shown| number(shown) > sent);
    assert_eq!(of_it.filter(|shown| shown["from"]["id"] != OWNER).count(), 1);
    assert_eq!(printer.world.lock().unwrap().files.len(), 2);
}
