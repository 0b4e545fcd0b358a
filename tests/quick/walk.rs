//! A command while it asks and answers, and the service beside it.

use crate::cli::Printer;
use crate::support::ending::end;
use crate::support::wait;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);

/// The command while it runs.
pub(crate) struct Walk {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    said: Arc<Mutex<Vec<u8>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Walk {
    pub(crate) fn with(mut command: std::process::Command, input: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = outputs.map(|output| follow(output, Arc::clone(&said)));
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(format!("{}\n", input.trim_end()).as_bytes());
        Self { child, input: Some(stdin), said, readers: readers.into() }
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    pub(crate) fn wait_for(&self, part: &str) {
        wait::until(part, SOON, || self.said().contains(part).then_some(()));
    }

    /// The exit code and all that was said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let status = self.child.wait().unwrap();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let said = self.said();
        assert!(!said.contains("SECRET"), "{said}");
        (status.code(), said)
    }
}

/// The service while it runs; it is ended when this is dropped.
pub(crate) struct Service(Child);

impl Service {
    pub(crate) fn start(printer: &Printer) -> Self {
        Self::start_at(printer, 0)
    }

    /// The same with its REST server on this port.
    pub(crate) fn start_at(printer: &Printer, port: u16) -> Self {
        let mut command = printer.command(&["run"]);
        command.env("PORT", port.to_string()).env("BIND", "127.0.0.1");
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

pub(crate) fn follow(
    mut output: Box<dyn Read + Send>,
    said: Arc<Mutex<Vec<u8>>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        // A terminal that is gone gives an error.
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            said.lock().unwrap().extend_from_slice(&bytes[..count]);
        }
    })
}
