//! The whole bridge on a virtual clock, while at each single request of a print's life something goes wrong.
//!
//! The steps ([`life`]): introduction (`INFO`, `MEDIUM_INSERTED`, `STATE_CHANGED`, telemetry); an upload that is printed
//! (`ACCEPTED`, `TRANSFER_INFO`, the file, `TRANSFER_INFO`, `TRANSFER_FINISHED`, `FILE_CHANGED`, `STATE_CHANGED`); pause,
//! resumption and a question about the job (`ACCEPTED`, `STATE_CHANGED`, `FINISHED`, `JOB_INFO`); the end; ready; an
//! upload that is not printed; its start by command; stop; deletion; telemetry between all of them. About sixty requests.
//!
//! | what goes wrong at a request | at an event | at telemetry | at the file |
//! |---|---|---|---|
//! | 408, 429, 429 with `Retry-After`, 500, 503 | it comes again, all as usual | made anew, all as usual | aborted, told once, ordered anew |
//! | 401, 403, 404 | an introduction, then it comes again, all as usual | the same | the same |
//! | 400 | it alone is lost; an end is told again when the server asks | lost | the same |
//! | the connection breaks, hangs for 20 s, or answers after 9 s | it comes again, all as usual | made anew | the same |
//! | the answer gets lost | it comes again, all as usual | a command in it is given again, and done once | the same |
//! | an answer without sense | taken; its body is of no interest | told as `REJECTED`, as a command | the same |
//! | the server is away for 5 s, 60 s | all as usual, after an introduction where it was 10 s; a transfer of that time may break | the same | the same |
//! | the server is away for 700 s | what is 10 minutes old is not told; ends are, when the server asks again | the same | the same |
//! | our program is killed before the request, before its answer, after it | an introduction, then what was on its way; the command under way has failed, an end is told once more | the same | aborted, told once |
//! | Moonraker is away for 5 s | commands fail meanwhile, and are given anew | the same | the same |
//!
//! In every case: the printer does each thing exactly once and nothing else, each command has one end (once more only where
//! the server asked again, or our program was killed before it could write down that it was told), no state is shown that
//! was not told, no request is other than the strict stand-in has it, and the printer's last state is shown.

mod days;
mod life;
mod world;

use life::{Course, play};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use world::{Fault, When};

const FAULTS: [Fault; 21] = [
    Fault::Status(400),
    Fault::Status(401),
    Fault::Status(403),
    Fault::Status(404),
    Fault::Status(408),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::TooMany,
    Fault::Dropped,
    Fault::Lost,
    Fault::Late,
    Fault::TimedOut,
    Fault::Junk,
    Fault::Away(5),
    Fault::Away(60),
    Fault::Away(700),
    Fault::Killed(When::Before),
    Fault::Killed(When::Unanswered),
    Fault::Killed(When::Answered),
    Fault::Moonraker,
];

#[test]
fn whatever_goes_wrong_at_any_request_of_a_print_is_made_up_for() {
    let usual = play(None).unwrap_or_else(|why| panic!("{why}"));
    let cases: Vec<(usize, Fault)> =
        (0..usual.sent.len()).flat_map(|at| FAULTS.map(|fault| (at, fault))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((at, fault)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged =
                        play(Some((*at, *fault))).and_then(|course| judge(*at, *fault, &usual, &course));
                    if let Err(why) = judged {
                        let what = &usual.sent[*at];
                        wrong.lock().unwrap().push((*at, format!("{fault:?} at {at}, {what}: {why}")));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    let texts: Vec<_> = wrong.iter().map(|(_, text)| text.as_str()).collect();
    assert!(texts.is_empty(), "{} of {} cases:\n{}", texts.len(), cases.len(), texts.join("\n"));
}

/// What of the usual course a fault may change.
fn judge(at: usize, fault: Fault, usual: &Course, course: &Course) -> Result<(), String> {
    let what = usual.sent[at].as_str();
    if course.done != usual.done {
        return Err(format!("the printer did {:?}", course.done));
    }
    let missing: Vec<_> = usual.told.iter().filter(|told| !course.told.contains(told)).collect();
    let more: Vec<_> = course.told.iter().filter(|told| !usual.told.contains(told)).collect();
    let differs = || Err(format!("missing {missing:?}, more {more:?}, or in another order"));
    let asked = (course.repeats, course.again);
    match fault {
        // A file is not fetched twice: its end is told, and the user orders it once more.
        _ if what == "GET file" => match course.again {
            0..=2 => Ok(()),
            _ => Err(format!("ordered {} times more", course.again)),
        },
        Fault::Killed(_) | Fault::Moonraker | Fault::Away(601..) => match asked {
            (0..=1, 0..=2) => Ok(()),
            _ => Err(format!("asked again {asked:?}")),
        },
        // The transfer of the moment may break as well.
        Fault::Away(_) => match asked {
            (0..=1, 0) if missing.is_empty() && more.is_empty() => Ok(()),
            (0..=1, 1) if course.told.iter().any(|told| told.starts_with("TRANSFER_ABORTED")) => Ok(()),
            _ => differs(),
        },
        Fault::Status(400) => match (missing.len(), more.len(), course.repeats) {
            (0..=1, 0, 0) | (1, 1, 1) | (0, 0, 1) => Ok(()),
            // A question has no details when its answer is told once more, and is asked anew.
            _ if course.again == 1 && what.ends_with("JOB_INFO") => Ok(()),
            _ => differs(),
        },
        // That no sense is made of it is told, as of a command.
        Fault::Junk if what == "POST /p/telemetry" => match *more {
            [] | [_] if missing.is_empty() && more.iter().all(|more| more.starts_with("REJECTED, ")) => {
                Ok(())
            }
            _ => differs(),
        },
        // The command of the lost answer is given once more.
        Fault::Lost if what == "POST /p/telemetry" && course.told == usual.told && asked.0 <= 1 => Ok(()),
        _ if course.told != usual.told => differs(),
        _ if asked != (0, 0) => Err(format!("asked again {asked:?}")),
        _ => Ok(()),
    }
}
