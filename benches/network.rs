//! What each bridge sends and receives in an hour, of an idle printer and of one that prints, on the real Moonraker and
//! Klipper host, with the settings that each has of itself; and what all three take of the processor meanwhile.
//!
//! Requests are those that the services saw, their looks at the bot and the configuration included. A chat and OctoApp's
//! phones are told by per cent of the job: one that lasts longer than this one gives less an hour.

use crate::connect_program::{Client, trial};
use crate::counted::Counted;
use crate::processes::Family;
use crate::report::Row;
use crate::support::bed::{Bed, Job};
use crate::support::phones::Phones;
use crate::support::prusa_connect::{Connect, registered};
use crate::support::telegram::Telegram;
use crate::support::wait;
use std::time::{Duration, Instant};

const TOKEN: &str = "1:bench";
const CHAT: i64 = 5;
/// How long is counted, in seconds, idle and printing; `NETWORK_SECONDS` shortens a trial.
const COUNTED: u64 = 300;
/// A print of about twenty minutes.
const JOB: Job = Job { layers: 400, ..Job::LONG };
const SOON: Duration = Duration::from_secs(60);
/// After the first words to each service.
const CALM: Duration = Duration::from_secs(15);

/// The services, and what goes to them.
struct Services {
    chat: (Telegram, Counted),
    phones: (Phones, Counted),
    connect: (Connect, Counted),
}

/// Requests and bytes so far.
#[derive(Debug, Clone, Copy)]
struct Taken {
    requests: usize,
    bytes: u64,
}

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let counted = Duration::from_secs(trial("NETWORK_SECONDS", COUNTED));
    let bed = Bed::up();
    let services = Services::start()?;
    services.phones.0.register(&bed);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let authorities = format!("{}{}", services.chat.0.ca(), services.phones.0.ca());
    let secrets = [("telegram_bot_token", TOKEN), ("prusa_connect_token", registered::TOKEN)];
    let ours = Client::with(&bed, &services.settings(), &authorities, &secrets, folder.path())?;
    let shows = |state: &str| {
        wait::until(&format!("{state} in Connect"), SOON, || {
            (services.connect.0.last_telemetry()["state"] == state).then_some(())
        });
    };
    shows("IDLE");
    std::thread::sleep(CALM);
    let family = ours.family()?;
    let idle = services.count(counted, &family)?;
    bed.start_print("network.gcode", JOB);
    shows("PRINTING");
    wait::until("the start in the chat", SOON, || {
        (!services.chat.0.done("network.gcode").is_empty()).then_some(())
    });
    wait::until("the start on the phones", SOON, || (!services.phones.0.pushes().is_empty()).then_some(()));
    let printing = services.count(counted, &family)?;
    let mut rows = Vec::new();
    for (when, counted) in [("idle", &idle), ("printing", &printing)] {
        for (name, taken) in ["Telegram", "OctoApp", "Prusa Connect"].iter().zip(&counted.each) {
            let row = |what: String, unit, ours| Row { what, unit, ours, peer: None, budget: None };
            let hours = counted.took.as_secs_f64() / 3600.0;
            rows.push(row(format!("{name}, {when}"), "requests/h", taken.requests as f64 / hours));
            rows.push(row(format!("{name}, {when}"), "kB/h", taken.bytes as f64 / 1000.0 / hours));
        }
        rows.push(Row {
            what: format!("processor, {when}, one chat, OctoApp and Prusa Connect"),
            unit: "%",
            ours: counted.seconds / counted.took.as_secs_f64() * 100.0,
            peer: None,
            budget: Some(0.5),
        });
    }
    Ok(rows)
}

/// What happened while it was counted.
struct Count {
    each: [Taken; 3],
    /// On a processor.
    seconds: f64,
    took: Duration,
}

impl Services {
    fn start() -> Result<Self, String> {
        let (chat, phones, connect) = (Telegram::start(TOKEN, CHAT), Phones::start(), Connect::start());
        let counted = [
            Counted::before(&chat.url())?,
            Counted::before(&phones.base())?,
            Counted::before(&connect.url())?,
        ];
        let [to_chat, to_phones, to_connect] = counted;
        Ok(Self { chat: (chat, to_chat), phones: (phones, to_phones), connect: (connect, to_connect) })
    }

    /// A bridge to each, with nothing else said than where it is.
    fn settings(&self) -> String {
        let (chat, to_chat) = &self.chat;
        let (phones, to_phones) = &self.phones;
        let (connect, to_connect) = &self.connect;
        let telegram = format!("\n[telegram]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\n", chat.url());
        [
            to_chat.through(&telegram),
            to_phones.through(&phones.section("127.0.0.1")),
            to_connect.through(&connect.register("127.0.0.1")),
        ]
        .concat()
    }

    fn taken(&self) -> [Taken; 3] {
        let (chat, to_chat) = &self.chat;
        let (phones, to_phones) = &self.phones;
        let (connect, to_connect) = &self.connect;
        [
            (chat.calls().len() + chat.looks().len() + chat.polls().len(), to_chat),
            (phones.requests(), to_phones),
            (connect.requests().len(), to_connect),
        ]
        .map(|(requests, counted)| Taken { requests, bytes: counted.bytes() })
    }

    fn count(&self, time: Duration, family: &Family) -> Result<Count, String> {
        let (begun, before, seconds) = (Instant::now(), self.taken(), family.seconds()?);
        std::thread::sleep(time);
        let (took, after, seconds) = (begun.elapsed(), self.taken(), family.seconds()? - seconds);
        let mut each = before;
        for (one, after) in each.iter_mut().zip(after) {
            *one = Taken { requests: after.requests - one.requests, bytes: after.bytes - one.bytes };
        }
        Ok(Count { each, seconds, took })
    }
}
