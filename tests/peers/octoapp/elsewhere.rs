//! A printer that is another machine: what is in a file is found without its disk.

use super::{bed_with, launch_at, register, wait_for_announcement};
use crate::support::bed::Job;
use crate::support::push_service::PushService;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A way to Moonraker that notes which files are asked for.
struct Way {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Way {
    fn to(moonraker: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, moonraker)).unwrap();
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || {
                    pass(up, server, |bytes| {
                        let text = String::from_utf8_lossy(bytes);
                        let file = text.strip_prefix("GET /server/files/gcodes/");
                        let file = file.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
                        noted.lock().unwrap().extend(file);
                    });
                });
                std::thread::spawn(move || pass(down, client, |_| {}));
            }
        });
        Self { port, asked }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        see(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_file_that_is_on_another_machine_is_fetched_once() {
    let bed = bed_with("");
    let service = PushService::start();
    let way = Way::to(bed.port());
    // A name that the program does not know to be its own machine's.
    let _program = launch_at(&format!("ws://LOCALHOST:{}/websocket", way.port), &service);
    wait_for_announcement(&bed);
    register(&bed, "ios:phone", "1", json!({}));
    std::fs::create_dir(bed.root("gcodes").join("parts")).unwrap();
    bed.start_print("parts/ü 1.gcode", Job::SHORT);
    let (soon, layer) = (Duration::from_secs(40), "layer_x_completed_title");
    service.wait_for(layer, 0, soon);
    let (_, push) = service.wait_for(layer, 1, soon);
    assert_eq!(push["apnsData"]["alert"]["title-loc-args"], json!(["3"]));
    assert_eq!(*way.asked.lock().unwrap(), ["parts/%C3%BC%201.gcode"]);
}
