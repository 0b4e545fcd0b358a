//! Somebody at the set-up page without scripts: it is loaded again and again, and its forms are sent.

use super::wait;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);

/// A visitor of the service.
pub(crate) struct Visitor {
    address: SocketAddr,
    /// How the visitor calls the printer.
    host: String,
}

impl Visitor {
    /// Waits until the service at this address is there.
    pub(crate) fn of(address: SocketAddr) -> Self {
        wait::until("the REST server", SOON, || TcpStream::connect(address).ok());
        Self { address, host: "u1".to_owned() }
    }

    /// Somebody who calls the printer by another name.
    pub(crate) fn as_host(&self, host: &str) -> Self {
        Self { address: self.address, host: host.to_owned() }
    }

    /// The status with which the page is given.
    pub(crate) fn status(&self) -> u16 {
        self.ask("GET /", "").0
    }

    /// The key that every form of the page bears.
    pub(crate) fn key(&self) -> String {
        let page = self.page();
        let (_, rest) = page.split_once("name=\"key\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    fn ask(&self, line: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let (host, length) = (&self.host, body.len());
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// The page as it is now.
    pub(crate) fn page(&self) -> String {
        let (status, page) = self.ask("GET /", "");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Sends a form of the page; gives the status and what is said.
    pub(crate) fn try_to_send(&self, form: &str) -> (u16, String) {
        self.ask("POST /page/do", &format!("key={}&{form}", self.key()))
    }

    /// Sends forms on one connection, before any of them is answered; gives what comes.
    pub(crate) fn send_at_once(&self, forms: &[String]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let host = &self.host;
        let all: String = forms
            .iter()
            .map(|form| {
                format!(
                    "POST /page/do HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                    form.len()
                )
            })
            .collect();
        stream.write_all(all.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    }

    /// Sends a form of the page, which is taken.
    pub(crate) fn send(&self, form: &str) {
        let (status, said) = self.try_to_send(form);
        assert_eq!(status, 303, "{form}: {said}");
    }

    /// Waits until this is on the page.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let mut page = String::new();
        let shown = wait::within(SOON, || {
            page = self.page();
            page.contains(part).then(|| page.clone())
        });
        shown.unwrap_or_else(|| panic!("no {part}: {page}"))
    }
}
