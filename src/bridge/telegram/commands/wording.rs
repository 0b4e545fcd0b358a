//! What is said in answer to commands, in one place.

mod state;

pub(super) use state::{board, headline, status};

use super::super::live::Mute;
use super::super::text;
use super::access::Right;
use super::files::{Entry, Listing};
use super::menu::Menu;
use super::order::{Mark, Order};
use super::update::Origin;
use crate::calendar;
use crate::printer::{KlippyState, Metadata};
use crate::source::control::ControlError;
use std::fmt::Write;
use std::time::Duration;

/// Most UTF-16 units of a caption that is put together here.
const MOST: usize = text::MOST_CAPTION;

pub(super) const OUT_OF_SIGHT: &str = "The printer is out of sight. Try again in a minute.";
pub(super) const PAUSED_ALREADY: &str = "The job is paused already.";
pub(super) const RUNS_ALREADY: &str = "The job is not paused.";
pub(super) const NO_JOB: &str = "No job is under way.";
pub(super) const OTHER_JOB: &str = "That was about another job. Nothing was done.";
pub(super) const NOT_THE_LAST: &str = "Another file was printed since. /files shows what there is.";
pub(super) const NO_MORE_CHECKS: &str = "This job is not checked any more.";
pub(super) const JOB_OVER: &str = "This job is over. /status tells how the printer is now.";
pub(super) const LEFT: &str = "Nothing was done.";
pub(super) const TOO_OLD: &str = "This button is too old. Send the command again.";
pub(super) const NOT_YOURS: &str = "Only the one who was asked can answer.";
pub(super) const MAY_NOT: &str = "You may not control this printer.";
pub(super) const ONE_MOMENT: &str = "One moment...";
pub(super) const BUSY: &str = "Too much is under way already. Try again in a minute.";
pub(super) const UNKNOWN: &str = "There is no such command. /help tells what there is.";
pub(super) const WHICH_FILE: &str = "Which file? Send /print NAME, or choose one with /files.";
pub(super) const WHICH_LINES: &str = "Which lines? Send them behind /gcode.";
pub(super) const WHICH_TIME: &str = "Send /mute 30m, /mute 2h, /mute job, /mute all or /mute off.";
pub(super) const CHECKING: &str = "Looking. You hear of it if there is something; /status tells how it went.";
pub(super) const NO_MACROS: &str = "There are no macros to run.";
pub(super) const ONE_LINE: &str = "A macro and its parameters are one line.";
pub(super) const NOT_PRINTABLE: &str = "Only files of G-code can be printed: their names end with .gcode.";
pub(super) const TOO_BIG: &str =
    "Telegram hands out no more than 20 MB to bots. Upload the file in the web interface.";
pub(super) const KEPT_ELSEWHERE: &str = "The Bot API server keeps files on its own disk (it runs with --local), where \
                                         the printer cannot fetch them. Upload the file in the web interface.";
pub(super) const NO_ANSWER: &str = "The printer did not answer in time. It may be busy and do it later.";
pub(super) const STILL_RUNS: &str = "It takes longer than 30 s. The printer goes on with it.";
pub(super) const NO_LOG: &str = "There is no log file.";
pub(super) const STOPPING: &str = "The service is being stopped. Try again in a minute.";

/// The label of No.
pub(super) const NO: &str = "No";
/// Labels of the ways through a list.
pub(super) const NEWER: &str = "< newer";
pub(super) const OLDER: &str = "older >";
pub(super) const UP: &str = "up";

/// Why nothing can be done while Klipper is not ready.
pub(super) fn not_ready(state: KlippyState) -> String {
    format!("Klipper is not ready ({}). Look at the printer.", state.name())
}

/// Why nothing else can be printed.
pub(super) fn busy(file: Option<&str>) -> String {
    format!("{} is under way. Wait for its end, or cancel it first.", file_name(file))
}

/// The name of a file, without folders, as it is shown.
pub(super) fn file_name(path: Option<&str>) -> String {
    let name = path.map(|path| path.rsplit('/').next().unwrap_or(path));
    name.map_or("The job".to_owned(), text::name)
}

/// The question before an order, and the label of Yes.
pub(super) fn question(order: &Order, job: &Mark, percent: Option<u8>) -> (String, &'static str) {
    let place = percent.map(|percent| format!(" at {percent}%")).unwrap_or_default();
    let job = match job.file() {
        Some(file) => format!("{}{place}", file_name(Some(file))),
        None => "the job".to_owned(),
    };
    match order {
        Order::Pause => (format!("Pause {job}?"), "Pause"),
        Order::Resume => (format!("Go on with {job}?"), "Resume"),
        Order::Cancel => (format!("Cancel {job}?\nIt cannot be taken up again."), "Cancel the print"),
        Order::Stop => (
            "Emergency stop?\nHeaters and motors go off at once, a print is lost, and Klipper must be restarted."
                .to_owned(),
            "STOP NOW",
        ),
        Order::Print(path) => (format!("Print {}?", file_name(Some(path))), "Print"),
        Order::Macro(line) => (format!("Run {} while {job} prints?", text::name(line)), "Run it"),
        Order::Gcode(script) => {
            let script = text::paragraph(script, 300);
            (format!("Send this while {job} prints?\n{script}"), "Send it")
        }
    }
}

/// That an order is on its way.
pub(super) fn under_way(order: &Order) -> String {
    match order {
        Order::Pause => "Pausing...".to_owned(),
        Order::Resume => "Resuming...".to_owned(),
        Order::Cancel => "Cancelling...".to_owned(),
        Order::Stop => "Stopping...".to_owned(),
        Order::Print(path) => format!("Starting {}...", file_name(Some(path))),
        Order::Macro(line) => format!("Running {}...", text::name(line)),
        Order::Gcode(_) => "Sending...".to_owned(),
    }
}

/// That an order was carried out, and what the printer said meanwhile.
pub(super) fn done(order: &Order, said: &[String]) -> String {
    let done = match order {
        Order::Pause => "Paused.".to_owned(),
        Order::Resume => "Resumed.".to_owned(),
        Order::Cancel => "Cancelled.".to_owned(),
        Order::Stop => "Stopped. Klipper needs a firmware restart before it works again.".to_owned(),
        Order::Print(path) => format!("Printing {}.", file_name(Some(path))),
        Order::Macro(line) => format!("{} is done.", text::name(line)),
        Order::Gcode(_) if said.is_empty() => "Done. The printer said nothing.".to_owned(),
        Order::Gcode(_) => "Done.".to_owned(),
    };
    let said = said.iter().map(|line| text::name(line.trim_start_matches("// ")));
    text::paragraph(&std::iter::once(done).chain(said).collect::<Vec<_>>().join("\n"), MOST)
}

/// What the printer says against it.
pub(super) fn failed(error: &ControlError) -> String {
    match error {
        ControlError::Refused { refusal, .. } => format!("The printer refuses: {refusal}"),
        ControlError::TimedOut { .. } => NO_ANSWER.to_owned(),
        other => text::paragraph(&format!("Not done: {other}"), MOST),
    }
}

/// An answer to `/id`.
pub(super) fn numbers(origin: &Origin) -> String {
    let mut said = format!("Chat {}", origin.place.chat);
    if let Some(thread) = origin.place.thread {
        let _ = write!(said, "\nTopic {thread}");
    }
    match origin.user {
        Some(user) => {
            let _ = write!(said, "\nYou {user}");
        }
        None => {
            said.push_str("\nYou write in the name of a group or a channel, so nobody can tell who you are")
        }
    }
    said
}

/// An answer to `/start` from strangers.
pub(super) fn stranger(origin: &Origin) -> String {
    let numbers = numbers(origin);
    format!("This bot tells its owner how a 3D printer does. For its settings:\n{numbers}")
}

/// An answer to somebody who may only look.
pub(super) fn only_watching(user: Option<i64>) -> String {
    match user {
        Some(user) => format!("{MAY_NOT} The owner adds your number {user} to TELEGRAM_ALLOWED_USERS."),
        None => format!("{MAY_NOT} Write in your own name, not in that of a group or a channel."),
    }
}

/// An answer to commands that came late.
pub(super) fn too_late(origin: &Origin) -> String {
    format!("What you sent at {} came too late and was not done. Send it again.", calendar::utc(origin.date))
}

/// The answer to `/help`.
pub(super) fn help(menu: Menu, right: Right) -> String {
    let mut said = "What there is:".to_owned();
    for item in menu.shown(right) {
        let space = if item.args.is_empty() { "" } else { " " };
        let _ = write!(said, "\n/{}{space}{} - {}", item.name, item.args, item.about);
    }
    if right == Right::Control {
        said.push_str("\nSend a file of G-code to put it on the printer.");
    }
    said
}

/// Whether messages are held back.
pub(super) fn mute(mute: &Mute, now: Duration) -> Option<String> {
    match mute {
        Mute::Until(until) if *until > now => {
            Some(format!("Muted for {}: only errors, ends and alerts come.", text::span(*until - now)))
        }
        Mute::Off | Mute::Until(_) => None,
        Mute::Job(_) => Some("Muted for this job: only errors, its end and alerts come.".to_owned()),
        Mute::Everything => Some("Muted: no messages come until /mute off.".to_owned()),
    }
}

/// The answer to `/mute` when nothing is held back.
pub(super) const NOT_MUTED: &str = "All messages come.";

/// A time span in its largest unit.
pub(super) fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A size in its fitting unit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A page of files. `now` is since the Unix epoch.
pub(super) fn listing(listing: &Listing, now: Duration) -> String {
    let folder = if listing.folder.is_empty() { "Files" } else { listing.folder.as_str() };
    let mut said = format!("{}, page {} of {}", text::name(folder), listing.page + 1, listing.pages);
    for (index, entry) in listing.entries.iter().enumerate() {
        let _ = write!(said, "\n{}. {}", index + 1, line(entry, now));
    }
    if listing.entries.is_empty() {
        said.push_str("\nThere is nothing to print here. Send a file of G-code to put it on the printer.");
    }
    text::shorten(&said, text::MOST_MESSAGE)
}

fn line(entry: &Entry, now: Duration) -> String {
    let name = text::name(entry.name());
    if entry.folder {
        return format!("{name}/");
    }
    let age = entry.modified.and_then(|modified| now.checked_sub(modified)).filter(|_| calendar::is_set(now));
    let age = age.map(|age| format!(", {} ago", short(age))).unwrap_or_default();
    format!("{name} - {}{age}", size(entry.size))
}

/// The question before a file is printed.
pub(super) fn offer(path: &str, known: &Metadata) -> String {
    let (mut said, _) = question(&Order::Print(path.to_owned()), &Mark::default(), None);
    let facts = [
        known.estimated_time.map(|time| format!("about {}", text::span(time))),
        known.filament_weight.filter(|grams| grams.is_finite()).map(|grams| format!("{grams:.0} g")),
        known.filament_type.as_deref().map(text::name),
        known.layer_count.map(|layers| format!("{layers} layers")),
        known.size.map(size),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        let _ = write!(said, "\n{}", facts.join(", "));
    }
    said
}

/// That a file of that name is not there.
pub(super) fn no_file(name: &str) -> String {
    format!("There is no file {}. /files shows what there is.", text::name(name))
}

/// That a file is too large to be fetched.
pub(super) fn too_large(bytes: u64) -> String {
    format!("The file has {}. {TOO_BIG}", size(bytes))
}

/// That a file from the chat is on the printer.
pub(super) fn stored(path: &str, bytes: u64, replaced: bool) -> String {
    let replaced = if replaced { ", in place of the one of that name" } else { "" };
    format!("{} is on the printer ({}{replaced}).", file_name(Some(path)), size(bytes))
}

/// That a file from the chat is on its way.
pub(super) fn fetching(name: &str) -> String {
    format!("Fetching {}...", text::name(name))
}

/// The macros that may be run.
pub(super) fn macros(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| text::name(name)).collect();
    text::shorten(&format!("Send /macro and one of these:\n{}", names.join("\n")), text::MOST_MESSAGE)
}

/// That the log cannot be shown.
pub(super) fn unreadable_log(error: &std::io::Error) -> String {
    format!("The log cannot be read: {error}")
}

/// That a file from the chat did not get to the printer.
pub(super) fn not_stored(why: &str) -> String {
    text::paragraph(&format!("The file did not get to the printer: {why}"), 600)
}

/// That there is no picture.
pub(super) fn no_picture(why: &dyn std::fmt::Display) -> String {
    text::paragraph(&format!("There is no picture.\n{why}"), 600)
}

/// That a macro is not to be run.
pub(super) fn no_macro(name: &str) -> String {
    format!("There is no macro {} that may be run. /macro shows which there are.", text::name(name))
}

/// The headline of the log.
pub(super) fn log(path: &str) -> String {
    format!("The end of {}", text::name(path))
}

#[cfg(test)]
mod tests;
