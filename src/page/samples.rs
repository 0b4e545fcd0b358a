//! Pages in all their states, for tests: those of this module, and those in a browser, which bring the same names.

use super::*;
use std::time::Duration;

fn line(name: &str, state: BridgeState, health: Health, text: &str) -> BridgeLine {
    BridgeLine { name: name.to_owned(), state, health, text: text.to_owned(), ..BridgeLine::default() }
}

fn card(line: BridgeLine, service: Service, course: Course) -> Card {
    let on = line.state != BridgeState::Off;
    Card { line, on, service, course, test: None }
}

fn invitation(link: &str, code: Option<&str>) -> Invitation {
    Invitation {
        link: Some(link.to_owned()),
        code: code.map(str::to_owned),
        until: Duration::from_secs(5000),
        ..Invitation::default()
    }
}

fn octoapp(phones: Option<Result<Vec<String>, String>>) -> Service {
    Service::OctoApp(OctoApp { phones })
}

fn connect(registration: Registration) -> Service {
    Service::PrusaConnect(PrusaConnect {
        serial: Some("SNU1A2B3C4D5".to_owned()),
        server: "https://connect.prusa3d.com".to_owned(),
        registration,
    })
}

fn telegram(has_token: bool, chat: Option<&str>) -> Service {
    Service::Telegram(Telegram { has_token, chat: chat.map(str::to_owned) })
}

/// Each state of the page that looks different, with a name.
pub(super) fn all() -> Vec<(&'static str, Sight)> {
    let off = |name| BridgeLine::off(name);
    let base = Sight {
        key: "0123456789abcdef".to_owned(),
        printer: "Workshop U1".to_owned(),
        connected: true,
        source: "printer connected over unix:moonraker.sock, Klipper ready".to_owned(),
        camera: true,
        ..Sight::default()
    };
    let pairing = |name| {
        line(name, BridgeState::NeedsPairing, Health::Fail, "no chat is set; run `octobridge pair telegram`")
    };
    let fresh = Sight {
        cards: vec![
            card(pairing("octoapp"), octoapp(Some(Ok(Vec::new()))), Course::Idle),
            card(off("prusa_connect"), connect(Registration::No), Course::Idle),
            card(off("telegram"), telegram(false, None), Course::Idle),
        ],
        ..base.clone()
    };
    let extras =
        vec![Extra { label: "For a group:", text: "https://t.me/u1_bot?startgroup=k3m9x7qa2b".to_owned() }];
    let waiting = Sight {
        cards: vec![
            card(
                pairing("octoapp"),
                octoapp(Some(Ok(Vec::new()))),
                Course::Waiting(Invitation {
                    remarks: vec!["Moonraker does not answer; trying again".to_owned()],
                    ..invitation("http://192.168.1.20", None)
                }),
            ),
            card(
                pairing("prusa_connect"),
                connect(Registration::No),
                Course::Waiting(invitation(
                    "https://connect.prusa3d.com/add-printer/connect/ht90/ABCDEFGH/Workshop",
                    Some("ABCDEFGH"),
                )),
            ),
            card(
                pairing("telegram"),
                telegram(true, None),
                Course::Waiting(Invitation {
                    extras,
                    ..invitation("https://t.me/u1_bot?start=k3m9x7qa2b", None)
                }),
            ),
        ],
        ..base.clone()
    };
    let asking = Course::Asking {
        question: "Ada sent the code. Send messages about prints there?".to_owned(),
        control: true,
        choices: vec![
            Choice { value: "0".to_owned(), label: "Ada (private chat)".to_owned() },
            Choice { value: "1".to_owned(), label: "Workshop, topic 7".to_owned() },
        ],
    };
    let works = |name, text| line(name, BridgeState::Connected, Health::Ok, text);
    let phones = vec!["Pixel 8, last seen 2026-11-21 12:00:00 UTC".to_owned(), "iPhone of Ada".to_owned()];
    let running = Sight {
        job: Some(Job { name: "benchy_0.2mm_PLA_1h12m.gcode".to_owned(), paused: false, percent: Some(42) }),
        cards: vec![
            Card {
                test: Some(Ok("OctoApp has taken a test message for Pixel 8.".to_owned())),
                ..card(
                    works("octoapp", "2 phones; last push 3 min ago"),
                    octoapp(Some(Ok(phones))),
                    Course::Idle,
                )
            },
            card(
                works("prusa_connect", "connected"),
                connect(Registration::Yes { hint: "abcde…".to_owned() }),
                Course::Done("Prusa Connect has taken the printer.".to_owned()),
            ),
            card(pairing("telegram"), telegram(true, None), asking),
        ],
        log: vec![
            Line {
                at: Duration::from_secs(1_795_227_605),
                level: log::Level::Warn,
                text: "telegram: no answer; trying again".to_owned(),
            },
            Line {
                at: Duration::from_secs(1_795_227_600),
                level: log::Level::Info,
                text: "octobridge starts".to_owned(),
            },
        ],
        examination: Examination::Running { sections: Vec::new(), at: "the printer and its camera" },
        ..base.clone()
    };
    let sections = vec![
        Section { name: "Files", findings: vec![Finding::ok("there is room")] },
        Section {
            name: "Clouds",
            findings: vec![
                Finding::warn("api.telegram.org answers after 9 s", "look at the network"),
                Finding::fail("connect.prusa3d.com refuses the token", "pair the printer anew"),
            ],
        },
    ];
    let failed = |name, text| line(name, BridgeState::Failed, Health::Fail, text);
    let broken = Sight {
        connected: false,
        source: "no connection to the printer (Connection refused)".to_owned(),
        camera: false,
        problems: vec![ProblemLine {
            what: "[telegram] chat_id: \"x\" is no number".to_owned(),
            remedy: "write a number".to_owned(),
        }],
        cards: vec![
            Card {
                test: Some(Err("OctoApp's service refuses it; try again later".to_owned())),
                ..card(
                    line("octoapp", BridgeState::Retrying, Health::Waiting, "no network"),
                    octoapp(Some(Err("Moonraker's database cannot be used: no answer".to_owned()))),
                    Course::Failed(
                        "no phone registered within 300 s; start again when the phone is at hand".to_owned(),
                    ),
                )
            },
            card(
                failed("prusa_connect", "Connect refuses the token"),
                connect(Registration::Refused { hint: "abcde…".to_owned() }),
                Course::Idle,
            ),
            card(
                line("telegram", BridgeState::Connected, Health::Warn, "the last photo was too large"),
                telegram(true, Some("-1001234567890, topic 7")),
                Course::Busy(None),
            ),
            card(off("telegram workshop"), telegram(false, None), Course::Idle),
        ],
        examination: Examination::Done { sections, at: Duration::from_secs(1_795_227_605) },
        ..base.clone()
    };
    let odd = odd(&base);
    vec![("fresh", fresh), ("waiting", waiting), ("running", running), ("broken", broken), ("odd", odd)]
}

/// What is rare, and what is long.
fn odd(base: &Sight) -> Sight {
    let long =
        "a_very_long_name_without_a_single_blank_in_it_that_no_line_of_a_phone_can_hold_(0.2mm,PLA,1h12m)";
    let line = |name, state, health, text: &str| BridgeLine {
        queued: 12,
        last_error: Some(format!("api.example.org does not answer {long}")),
        ..line(name, state, health, text)
    };
    Sight {
        printer: format!("Printer <b>{long}</b>"),
        job: Some(Job { name: format!("{long}.gcode"), paused: true, percent: None }),
        cards: vec![
            card(
                line("octoapp", BridgeState::Starting, Health::Waiting, "it starts"),
                octoapp(None),
                Course::Waiting(Invitation { link: None, ..invitation("", None) }),
            ),
            card(
                line("prusa_connect", BridgeState::Retrying, Health::Waiting, "trying again"),
                Service::PrusaConnect(PrusaConnect {
                    serial: None,
                    server: format!("https://{}.example.org:8443", &long[..60]),
                    registration: Registration::No,
                }),
                Course::Busy(Some("Prusa Connect: status 503; trying again".to_owned())),
            ),
            card(
                line("telegram", BridgeState::Connected, Health::Ok, "connected"),
                telegram(true, Some("-1001234567890, topic 7")),
                Course::Done(format!("Messages about prints go to the group \"{long}\" from now on.")),
            ),
            card(
                line(&format!("telegram {}", &long[..32]), BridgeState::Failed, Health::Fail, long),
                telegram(true, None),
                Course::Failed(format!(
                    "the bot may not write to the chat; check it (the server says \"{long}\")"
                )),
            ),
        ],
        log: vec![Line {
            at: Duration::ZERO,
            level: log::Level::Error,
            text: format!("telegram: {long}{long}"),
        }],
        ..base.clone()
    }
}
