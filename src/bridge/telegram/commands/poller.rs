//! Asks Telegram what people wrote, by its rules: one question at a time that is held for most of a minute, each update
//! once, and no hurry where something is wrong.
//!
//! One step makes at most one question and never waits besides: it says until when to wait. The thread around it waits.

use super::super::api::{Api, Call, Class, Outcome, classify, explain};
use super::super::delivery::{Attempt, Decision, Next, PROBE, chance, decide};
use super::super::report::{Report, Trouble};
use super::clerk::Clerk;
use super::errand::{Deed, Errand, Reply};
use super::update::{self, Incoming};
use super::voice::Voice;
use super::wording;
use crate::bridge::Health;
use crate::calendar;
use crate::clock::Moment;
use crate::whole_file;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the server may hold an answer back (Bot API server: 50 s at most).
const HOLD: Duration = Duration::from_secs(50);
/// Most updates of one answer.
const MOST: usize = 50;
/// How long to leave the bot to another program that polls, and the longest.
const CONFLICT: Duration = Duration::from_secs(10);
const LONGEST_CONFLICT: Duration = Duration::from_secs(60);
/// What waited longer than this when the service starts is a backlog, of which nothing is done.
const BACKLOG: Duration = Duration::from_secs(120);
/// Unreadable answers in a row after which what waits is given up.
const MOST_UNREADABLE: u32 = 5;

/// What to ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Who the bot is.
    Name,
    /// What its menu shows.
    Menu,
    /// Set the menu.
    SetMenu,
    /// Take the menu back: there are no commands any more.
    Unset,
    /// What waits from before the start.
    First,
    /// The newest of what waits, so that all before it is forgotten.
    Skip,
    /// What comes.
    Poll,
    /// Take back the address to which another program has updates sent.
    Webhook,
}

/// Who sees to errands; false if too much is under way.
pub(super) type Run = Box<dyn FnMut(Errand) -> bool + Send>;

/// Remembers that the bot's menu is ours, so that it is taken back when there are no commands any more.
#[derive(Debug)]
pub(super) struct MenuFile(PathBuf);

impl MenuFile {
    /// The file of the bridge `id` in `data_dir`.
    pub(super) fn new(data_dir: &Path, id: &str) -> Self {
        Self(data_dir.join(format!("{id}-menu")))
    }

    /// Whether the bot has a menu of ours.
    pub(super) fn is_set(&self) -> bool {
        self.0.exists()
    }

    fn set(&self) {
        if let Err(error) = whole_file::replace(&self.0, b"The bot's menu is Octobridge's.\n") {
            log::warn!("cannot write {}: {error}", self.0.display());
        }
    }

    fn unset(&self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            log::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Polls for one bot.
pub(super) struct Poller<A> {
    pub(super) voice: Voice<A>,
    clerk: Clerk,
    run: Run,
    /// Told where a group went.
    follow: Box<dyn FnMut(i64, i64) + Send>,
    report: Arc<Mutex<Report>>,
    menu: MenuFile,
    stage: Stage,
    bot: String,
    /// The number from which on updates are new; none before the first.
    offset: Option<i64>,
    /// Updates that were read, and are done as soon as the server knows that: a crash must not do them twice.
    read: Vec<Value>,
    limit: usize,
    failures: u32,
    conflicts: u32,
    unreadable: u32,
    /// When all that had come was read last, on the monotonic clock.
    heard: Duration,
    not_before: Duration,
}

impl<A: Api> Poller<A> {
    /// Has asked nothing yet.
    pub(super) fn new(
        voice: Voice<A>,
        clerk: Clerk,
        run: Run,
        follow: Box<dyn FnMut(i64, i64) + Send>,
        report: Arc<Mutex<Report>>,
        menu: MenuFile,
    ) -> Self {
        // Where nobody may use commands, all there is to do is to take the menu back.
        let stage = if clerk.is_open() { Stage::Name } else { Stage::Unset };
        let heard = voice.now().monotonic;
        Self {
            voice,
            clerk,
            run,
            follow,
            report,
            menu,
            stage,
            bot: String::new(),
            offset: None,
            read: Vec::new(),
            limit: MOST,
            failures: 0,
            conflicts: 0,
            unreadable: 0,
            heard,
            not_before: Duration::ZERO,
        }
    }

    /// A group has had another number since before the start.
    pub(super) fn moved(&mut self, from: i64, to: i64) {
        self.clerk.moved(from, to);
    }

    /// Whether the next step is held back by the server for long, and may be interrupted at any time.
    pub(super) fn is_waiting_for_people(&self) -> bool {
        self.stage == Stage::Poll && self.read.is_empty()
    }

    /// Asks at most one question.
    pub(super) fn step(&mut self) -> Next {
        let now = self.voice.now();
        if now.monotonic < self.not_before {
            return Next::At(self.not_before);
        }
        let call = self.call();
        let outcome = self.voice.api.call(&call, now.unix);
        let class = classify(&outcome);
        let result = match &outcome {
            Outcome::Answered(answer) => answer.envelope.as_ref().map(|envelope| &envelope.result),
            Outcome::Failed(_) => None,
        };
        match (class, result) {
            (Class::Done, Some(result)) => self.answered(&result.clone(), now),
            _ => self.refused(class, &outcome),
        }
    }

    fn call(&self) -> Call<'static> {
        match self.stage {
            Stage::Name => Call::new("getMe"),
            Stage::Menu => Call::new("getMyCommands"),
            Stage::SetMenu => Call::new("setMyCommands").with("commands", self.clerk.menu().commands()),
            Stage::Unset => Call::new("deleteMyCommands"),
            Stage::Webhook => Call::new("deleteWebhook"),
            Stage::First => self.poll(Duration::ZERO),
            Stage::Skip => self.poll(Duration::ZERO).with("offset", -1).with("limit", 1),
            Stage::Poll if self.read.is_empty() => self.poll(HOLD),
            Stage::Poll => self.poll(Duration::ZERO),
        }
    }

    fn poll(&self, hold: Duration) -> Call<'static> {
        let kinds = json!(["message", "callback_query", "my_chat_member"]);
        let call = Call::new("getUpdates").with("timeout", hold.as_secs()).with("limit", self.limit);
        let call = call.with("allowed_updates", kinds);
        let call = match self.offset {
            Some(offset) => call.with("offset", offset),
            None => call,
        };
        Call { held: hold, ..call }
    }

    fn answered(&mut self, result: &Value, now: Moment) -> Next {
        (self.failures, self.unreadable) = (0, 0);
        match self.stage {
            Stage::Name => {
                self.bot = result.get("username").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.stage = Stage::Menu;
            }
            Stage::Menu => {
                let same = *result == self.clerk.menu().commands();
                self.stage = if same { Stage::First } else { Stage::SetMenu };
            }
            Stage::SetMenu => {
                self.menu.set();
                self.stage = Stage::First;
            }
            Stage::Unset => {
                self.menu.unset();
                return Next::Idle;
            }
            Stage::Webhook => self.stage = if self.offset.is_none() { Stage::First } else { Stage::Poll },
            Stage::First | Stage::Skip | Stage::Poll => {
                self.conflicts = 0;
                self.trouble(None, None);
                self.updates(result, now);
            }
        }
        Next::Again
    }

    /// Takes what was read, and does what was read before.
    fn updates(&mut self, result: &Value, now: Moment) {
        let new = result.as_array().cloned().unwrap_or_default();
        let ripe = std::mem::take(&mut self.read);
        let highest = new.iter().filter_map(update::number).max();
        if let Some(next) = highest.and_then(|highest| highest.checked_add(1)) {
            self.offset = Some(next);
        }
        if self.stage == Stage::First && is_backlog(&new, now) {
            log::info!("telegram: what was sent while the service was off is not done");
            self.stage = Stage::Skip;
            return;
        }
        // Without a clock nothing tells how old the newest is.
        let blind = self.stage == Stage::Skip && !calendar::is_set(now.unix);
        self.read = if blind { Vec::new() } else { new };
        self.stage = Stage::Poll;
        for update in ripe {
            self.update(&update);
        }
        if self.read.is_empty() {
            self.limit = MOST;
            self.heard = now.monotonic;
        }
    }

    fn update(&mut self, update: &Value) {
        let incoming = update::read(update, &self.bot);
        match incoming {
            Incoming::Migrated { from, to } => {
                if self.clerk.moved(from, to) {
                    log::warn!("telegram: the chat {from} is now {to}: change TELEGRAM_ALLOWED_CHATS");
                }
                (self.follow)(from, to);
            }
            Incoming::Standing { chat, member } => {
                let how = if member { "is in" } else { "was removed from" };
                log::info!("telegram: the bot {how} the chat {chat}");
            }
            Incoming::Nothing(why) => log::debug!("telegram: an update is passed over: {why}"),
            _ => {}
        }
        let now = self.voice.now();
        for deed in self.clerk.decide(incoming, self.heard, now) {
            match deed {
                Deed::Say(reply) => {
                    self.voice.say(&reply);
                }
                Deed::Answer { press, text } => self.voice.answer(&press, &text),
                Deed::Run(errand) => {
                    let (place, over) = (errand.place, errand.over);
                    if !(self.run)(errand) {
                        self.voice.say(&Reply::new(place, wording::BUSY).over(over));
                    }
                }
            }
        }
    }

    fn refused(&mut self, class: Class, outcome: &Outcome) -> Next {
        let status = match outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        };
        if status == Some(200) {
            self.unreadable_answer();
        }
        let why = explain(class, outcome);
        let attempt = Attempt { failures: self.failures, ..Attempt::default() };
        self.failures = self.failures.saturating_add(1);
        let asks_for_updates = matches!(self.stage, Stage::First | Stage::Skip | Stage::Poll);
        let (wait, health, why) = match (class, decide(class, attempt, chance())) {
            (Class::Conflict, _) if says(outcome, "webhook") => {
                log::warn!(
                    "telegram: another program had updates sent elsewhere; they come here from now on"
                );
                self.stage = Stage::Webhook;
                return Next::Again;
            }
            (Class::Conflict, _) => {
                self.conflicts = self.conflicts.saturating_add(1);
                let wait = CONFLICT.saturating_mul(self.conflicts).min(LONGEST_CONFLICT);
                let why = "another program reads what people send to this bot; give each its own token from @BotFather";
                // One may be our own question of before a restart.
                let health = if self.conflicts > 1 { Health::Warn } else { Health::Waiting };
                (wait, health, why.to_owned())
            }
            (Class::TokenRefused, _) => (PROBE, Health::Fail, why),
            (_, Decision::Retry(wait)) => (wait, Health::Waiting, why),
            _ if self.stage == Stage::Unset => return Next::Idle,
            // The menu is not worth waiting for.
            _ if !asks_for_updates && self.stage != Stage::Name => {
                log::warn!("telegram: {why}");
                self.stage = if self.offset.is_none() { Stage::First } else { Stage::Poll };
                return Next::Again;
            }
            _ => (LONGEST_CONFLICT, Health::Warn, why),
        };
        let until = self.voice.now().monotonic + wait;
        self.not_before = until;
        // A connection that is cut now and then is no news.
        if health != Health::Waiting || self.failures > 2 {
            self.trouble(Some(Trouble { health, text: why }), Some(until));
        }
        Next::At(until)
    }

    /// An answer that says that all is well and cannot be read: too long, or broken.
    fn unreadable_answer(&mut self) {
        self.limit = 1;
        self.unreadable += 1;
        if self.unreadable >= MOST_UNREADABLE && self.stage == Stage::Poll {
            log::warn!("telegram: what waits cannot be read; it is given up");
            (self.stage, self.unreadable) = (Stage::Skip, 0);
        }
    }

    fn trouble(&self, trouble: Option<Trouble>, retry_at: Option<Duration>) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        let hearing = trouble.map(|trouble| (trouble, retry_at.unwrap_or_default()));
        if let Some((trouble, _)) = &hearing
            && report.hearing.as_ref().is_none_or(|(before, _)| before.text != trouble.text)
        {
            log::warn!("telegram: commands: {}", trouble.text);
        }
        report.hearing = hearing;
    }
}

/// Whether updates that waited when the service started are too old to be done.
fn is_backlog(updates: &[Value], now: Moment) -> bool {
    let oldest = updates.iter().find_map(update::date);
    match calendar::is_set(now.unix) {
        true => oldest.is_some_and(|date| now.unix.saturating_sub(date) > BACKLOG),
        false => !updates.is_empty(),
    }
}

/// Whether the server's words hold `part`.
fn says(outcome: &Outcome, part: &str) -> bool {
    let Outcome::Answered(answer) = outcome else { return false };
    let words = answer.envelope.as_ref().and_then(|envelope| envelope.description.as_deref());
    words.is_some_and(|words| words.to_lowercase().contains(part))
}

#[cfg(test)]
mod tests;
