//! Decides what comes of what people write and press. Talks to nobody: what is to be done comes out as [`Deed`]s.

mod press;

use super::super::config::{API_URL, Access, Config, Macros};
use super::super::live::{Live, Mute};
use super::super::notify::percent;
use super::access::{Minute, Right};
use super::errand::{Deed, Errand, Reply, Task};
use super::files;
use super::menu::Menu;
use super::order::{self, Mark, Order};
use super::token::{Button, Meaning, Tokens};
use super::update::{Command, Document, Incoming, MOST_DOWNLOAD, Origin, Place};
use super::wording;
use crate::calendar;
use crate::clock::Moment;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What was sent longer ago is not done any more.
const MOST_AGE: Duration = Duration::from_secs(120);
/// Longest mute by a time.
const MOST_MUTE: u64 = 7 * 86_400;

/// What may be asked of the defect checks.
pub(in crate::bridge::telegram) struct Checks {
    /// Has one made now; the error says why there is none.
    pub(in crate::bridge::telegram) now: Box<dyn Fn() -> Result<(), String> + Send>,
    /// Makes none any more of the job of this key.
    pub(in crate::bridge::telegram) quiet: Box<dyn Fn(&str) + Send>,
}

/// The tokens of buttons, which errands make as well.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedTokens(Arc<Mutex<Tokens>>);

impl SharedTokens {
    pub(super) fn lock(&self) -> MutexGuard<'_, Tokens> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buttons below a question.
    pub(super) fn ask(
        &self,
        to: (i64, i64),
        order: &Order,
        mark: Mark,
        yes: &str,
        now: Duration,
    ) -> Vec<(String, String)> {
        let meaning = Meaning::Question(order.clone(), mark);
        let token = self.lock().keep(to.0, to.1, meaning, now);
        let button = |label: &str, button: Button| (label.to_owned(), button.data(order.word(), &token));
        vec![button(yes, Button::Do), button(wording::NO, Button::Leave)]
    }
}

/// Knows who may do what, and which buttons are good.
pub(super) struct Clerk {
    access: Access,
    macros: Macros,
    /// No more than the public server hands out can be fetched.
    public: bool,
    menu: Menu,
    live: Live,
    tokens: SharedTokens,
    checks: Option<Checks>,
    strangers: Minute,
    late: Minute,
}

impl Clerk {
    /// By the settings. `log` tells whether there is a log to show.
    pub(super) fn new(
        config: &Config,
        live: Live,
        tokens: SharedTokens,
        checks: Option<Checks>,
        log: bool,
    ) -> Self {
        Self {
            access: config.access.clone(),
            macros: config.macros.clone(),
            public: config.api_url == API_URL,
            menu: Menu::new(config, checks.is_some(), log),
            live,
            tokens,
            checks,
            strangers: Minute::default(),
            late: Minute::default(),
        }
    }

    /// Whether anybody may use commands.
    pub(super) fn is_open(&self) -> bool {
        self.access.is_open()
    }

    /// What is switched on.
    pub(super) fn menu(&self) -> Menu {
        self.menu
    }

    /// A group has another number from now on. Says whether it is one of ours.
    pub(super) fn moved(&mut self, from: i64, to: i64) -> bool {
        self.access.moved(from, to)
    }

    /// What to do about `incoming`. `heard` is when all that had come was read last, on the monotonic clock: what comes
    /// now was sent later than that.
    pub(super) fn decide(&mut self, incoming: Incoming, heard: Duration, now: Moment) -> Vec<Deed> {
        match incoming {
            Incoming::Command(command) => self.command(&command, heard, now),
            Incoming::Document(document) => self.document(document, heard, now),
            Incoming::Press(press) => self.press(&press, now),
            Incoming::Migrated { .. } | Incoming::Standing { .. } | Incoming::Nothing(_) => Vec::new(),
        }
    }

    fn command(&mut self, command: &Command, heard: Duration, now: Moment) -> Vec<Deed> {
        let origin = &command.origin;
        let right = self.access.right(origin.place.chat, origin.user);
        let say = |text: String| vec![Deed::Say(Reply::new(origin.place, text))];
        if command.forwarded {
            return Vec::new();
        }
        if is_late(origin, heard, now) {
            return self.too_late(origin, right, now);
        }
        if right == Right::Stranger {
            let text = match command.name.as_str() {
                "id" => wording::numbers(origin),
                "start" => wording::stranger(origin),
                _ => return Vec::new(),
            };
            return if self.strangers.pass(now) { say(text) } else { Vec::new() };
        }
        let Some(item) = self.menu.find(&command.name) else {
            return match Menu::missing(&command.name) {
                Some(why) if right == Right::Control => say(why.to_owned()),
                // In a group it may be meant for another bot.
                None if command.personal => say(wording::UNKNOWN.to_owned()),
                _ => Vec::new(),
            };
        };
        if item.right > right {
            let passes = self.strangers.pass(now);
            return if passes { say(wording::only_watching(origin.user)) } else { Vec::new() };
        }
        match item.name {
            "help" | "start" => say(wording::help(self.menu, right)),
            "id" => say(wording::numbers(origin)),
            "status" => run(Task::Status, origin),
            "photo" => run(Task::Photo, origin),
            "logs" => run(Task::Log, origin),
            "files" => run(Task::List { folder: String::new(), page: 0 }, origin),
            "print" if command.args.is_empty() => say(wording::WHICH_FILE.to_owned()),
            "print" => run(Task::Offer(command.args.clone()), origin),
            "pause" => self.ask(Order::Pause, origin, now),
            "resume" => self.ask(Order::Resume, origin, now),
            "cancel" => self.ask(Order::Cancel, origin, now),
            "estop" => self.ask(Order::Stop, origin, now),
            "macro" => self.macros(&command.args, origin, now),
            "gcode" if command.args.is_empty() => say(wording::WHICH_LINES.to_owned()),
            "gcode" => self.script(Order::Gcode(command.args.clone()), origin, now),
            "mute" => say(self.mute(&command.args, now)),
            "check" => say(match self.checks.as_ref().map(|checks| (checks.now)()) {
                Some(Err(why)) => why,
                _ => wording::CHECKING.to_owned(),
            }),
            _ => Vec::new(),
        }
    }

    fn document(&mut self, document: Document, heard: Duration, now: Moment) -> Vec<Deed> {
        let origin = document.origin;
        let right = self.access.right(origin.place.chat, origin.user);
        // People send files to each other, too.
        if right != Right::Control || !files::is_printable(&document.name) {
            return Vec::new();
        }
        if is_late(&origin, heard, now) {
            return self.too_late(&origin, right, now);
        }
        let say = |text: String| vec![Deed::Say(Reply::new(origin.place, text))];
        match (document.size, files::clean_name(&document.name)) {
            (Some(size), _) if self.public && size > MOST_DOWNLOAD => say(wording::too_large(size)),
            (_, None) => say(wording::NOT_PRINTABLE.to_owned()),
            (_, Some(name)) => run(Task::Fetch(document, name), &origin),
        }
    }

    fn ask(&self, order: Order, origin: &Origin, now: Moment) -> Vec<Deed> {
        self.question(order, origin.place, origin.user, now).into_iter().map(Deed::Say).collect()
    }

    /// Asks before an order is given, if it fits at all.
    fn question(&self, order: Order, place: Place, user: Option<i64>, now: Moment) -> Option<Reply> {
        let sight = self.live.sight();
        Some(match (order::fits(&order, sight.as_ref()), user) {
            (Ok(()), Some(user)) => {
                let mark = Mark::of(sight.as_ref());
                let percent = sight.as_ref().and_then(|sight| percent(&sight.snapshot));
                let (text, yes) = wording::question(&order, &mark, percent);
                let to = (place.chat, user);
                Reply::new(place, text).with(self.tokens.ask(to, &order, mark, yes, now.monotonic))
            }
            (Err(why), _) => Reply::new(place, why),
            (Ok(()), None) => return None,
        })
    }

    /// Runs G-code, after a question if that may harm a print.
    fn script(&self, order: Order, origin: &Origin, now: Moment) -> Vec<Deed> {
        let sight = self.live.sight();
        if order::is_busy(sight.as_ref()) {
            return self.ask(order, origin, now);
        }
        match order::fits(&order, sight.as_ref()) {
            Ok(()) => run(Task::Obey(order), origin),
            Err(why) => vec![Deed::Say(Reply::new(origin.place, why))],
        }
    }

    fn macros(&self, line: &str, origin: &Origin, now: Moment) -> Vec<Deed> {
        if line.is_empty() {
            return run(Task::Macros, origin);
        }
        let say = |text: String| vec![Deed::Say(Reply::new(origin.place, text))];
        if line.chars().any(char::is_control) {
            return say(wording::ONE_LINE.to_owned());
        }
        let (name, parameters) = line.split_once(' ').unwrap_or((line, ""));
        let upper = name.to_ascii_uppercase();
        if !allows(&self.macros, &upper) {
            return say(wording::no_macro(name));
        }
        let line = format!("{upper} {}", parameters.trim());
        self.script(Order::Macro(line.trim_end().to_owned()), origin, now)
    }

    fn mute(&self, how: &str, now: Moment) -> String {
        let mut live = self.live.lock();
        let busy = order::is_busy(live.sight.as_ref());
        let job = live.sight.as_ref().and_then(|sight| sight.job.clone()).filter(|_| busy);
        let how = how.to_ascii_lowercase();
        live.mute = match how.as_str() {
            "" => live.mute.clone(),
            "off" => Mute::Off,
            "all" => Mute::Everything,
            "job" => match job {
                Some(job) => Mute::Job(job),
                None => return wording::NO_JOB.to_owned(),
            },
            time => match span(time) {
                Some(time) => Mute::Until(now.monotonic + time),
                None => return wording::WHICH_TIME.to_owned(),
            },
        };
        let told = wording::mute(&live.mute, now.monotonic);
        match (told, how.is_empty()) {
            (Some(told), _) => told,
            (None, false) => wording::NOT_MUTED.to_owned(),
            (None, true) => format!("{} {}", wording::NOT_MUTED, wording::WHICH_TIME),
        }
    }

    fn too_late(&mut self, origin: &Origin, right: Right, now: Moment) -> Vec<Deed> {
        let told = right > Right::Stranger && self.late.pass(now);
        let reply = Reply::new(origin.place, wording::too_late(origin));
        if told { vec![Deed::Say(reply)] } else { Vec::new() }
    }
}

/// Whether a macro may be run, by its name in capitals.
pub(super) fn allows(macros: &Macros, name: &str) -> bool {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain
        && match macros {
            Macros::All => !name.starts_with('_'),
            Macros::These(names) => names.iter().any(|known| known == name),
        }
}

/// Whether something was sent too long ago. While the clock is not set, all that comes may be as old as the silence
/// before it.
fn is_late(origin: &Origin, heard: Duration, now: Moment) -> bool {
    let age = match calendar::is_set(now.unix) {
        true => now.unix.saturating_sub(origin.date),
        false => now.monotonic.saturating_sub(heard),
    };
    age > MOST_AGE
}

/// A time such as `30m`, `2h`, `90` (minutes).
fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix(['m', 'h', 'd']) {
        Some(number) => (number, text.chars().last()),
        None => (text, Some('m')),
    };
    let seconds = match unit? {
        'h' => 3600,
        'd' => 86_400,
        _ => 60,
    };
    let seconds = number.trim().parse::<u64>().ok()?.checked_mul(seconds)?;
    (seconds > 0 && seconds <= MOST_MUTE).then(|| Duration::from_secs(seconds))
}

fn run(task: Task, origin: &Origin) -> Vec<Deed> {
    vec![Deed::Run(errand(task, origin.place, origin.user))]
}

fn errand(task: Task, place: Place, user: Option<i64>) -> Errand {
    Errand { task, place, user, by: None, over: None }
}

#[cfg(test)]
mod tests;
