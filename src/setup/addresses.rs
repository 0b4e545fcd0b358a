//! The addresses at which a phone in the local network finds the printer.

use crate::http;
use crate::source::control::{Control, Interface};
use rustls::ClientConfig;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;

/// Longest set-up of a connection, and longest question. It is this machine itself, or one beside it.
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);
/// Most addresses that are looked at.
const MOST: usize = 6;
/// Enough of an answer to know it, in bytes.
const MOST_ANSWER: u64 = 16 * 1024;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The addresses, the best first; none where the machine has none in a network.
    pub(crate) urls: Vec<String>,
    /// Whether Moonraker answers there.
    pub(crate) answers: bool,
    /// Whether it wants a login.
    pub(crate) login: bool,
}

impl Found {
    /// What may keep a phone from finding the printer there, with the remedy.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = &'static str> {
        let silent = (!self.answers && !self.urls.is_empty()).then_some(
            "Moonraker does not answer there, at least not to this machine; if the app does not find the printer, check \
             that a browser on the phone opens its page",
        );
        let locked = self.login.then_some(
            "Moonraker wants a login or a key of phones; give the app one, or add your network to trusted_clients in \
             moonraker.conf",
        );
        silent.into_iter().chain(locked)
    }
}

/// Looks for them; the error says why Moonraker does not tell.
pub(crate) fn find(control: &Control, tls: Arc<ClientConfig>) -> Result<Found, String> {
    let base = control.web_address().map_err(|error| error.to_string())?;
    // A Moonraker that does not tell has none to tell.
    let interfaces = control.network().wait().unwrap_or_default();
    let agent = http::agent(tls, CONNECT, ANSWER);
    Ok(choose(&candidates(&base, &interfaces), |url| probe(&agent, url)))
}

/// The addresses that may be good, by machine: first that of the web interface, through which Moonraker is usually
/// reached, then its own.
fn candidates(base: &str, interfaces: &[Interface]) -> Vec<[String; 2]> {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    let place = authority.find(']').map_or(0, |end| end);
    let end = authority.get(place..).and_then(|rest| rest.find([':', '/'])).map(|at| at + place);
    let (host, rest) = authority.split_at(end.unwrap_or(authority.len()));
    let of = |host: &str| [format!("http://{host}"), format!("http://{host}{rest}")];
    let bare = host.trim_matches(['[', ']']);
    let is_here = bare == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if !is_here {
        return vec![of(host)];
    }
    // Those of containers lead nowhere.
    let inner = |name: &str| ["docker", "veth", "br-"].iter().any(|start| name.starts_with(start));
    let all = interfaces.iter().filter(|interface| !inner(&interface.name));
    let mut all: Vec<IpAddr> = all.flat_map(|interface| interface.addresses.iter().copied()).collect();
    all.retain(|ip| !ip.is_loopback() && !ip.is_unspecified());
    // The short ones first, and the long ones only where there are no others.
    let four = all.iter().any(IpAddr::is_ipv4);
    all.retain(|ip| ip.is_ipv4() == four);
    let shown = |ip: &IpAddr| if ip.is_ipv4() { ip.to_string() } else { format!("[{ip}]") };
    all.iter().take(MOST).map(|ip| of(&shown(ip))).collect()
}

/// What is there: whether Moonraker answers, and wants a login. None if it does not.
fn probe(agent: &Agent, url: &str) -> Option<bool> {
    let mut answer = agent.get(format!("{url}/server/info")).call().ok()?;
    let body = answer.body_mut().with_config().limit(MOST_ANSWER).read_to_vec().ok()?;
    // A web interface without Moonraker behind it may answer anything with its own page.
    let is_json = body.trim_ascii_start().starts_with(b"{");
    match answer.status().as_u16() {
        200 if is_json => Some(false),
        401 if is_json => Some(true),
        _ => None,
    }
}

/// The first address of each machine that answers; of all, where none does.
fn choose(candidates: &[[String; 2]], mut probe: impl FnMut(&str) -> Option<bool>) -> Found {
    let mut found = Found { urls: Vec::new(), answers: true, login: false };
    for urls in candidates {
        if let Some((url, login)) = urls.iter().find_map(|url| Some((url, probe(url)?))) {
            found.urls.push(url.clone());
            found.login |= login;
        }
    }
    if found.urls.is_empty() {
        found.answers = false;
        found.urls = candidates.iter().map(|[first, _]| first.clone()).collect();
    }
    found
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
