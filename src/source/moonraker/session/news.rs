//! What the session does with the news of the printer's objects, files, cameras, faults and console.

use super::{Action, FULL_QUERY, HISTORY_DELAY, RELIST, Session};
use crate::printer::{KlippyState, Observation};
use crate::source::moonraker::any::Any;
use crate::source::moonraker::file_news;
use crate::source::moonraker::head;
use crate::source::moonraker::objects::{Known, Layout};
use crate::source::moonraker::webcams;
use crate::source::moonraker::wire::{self, Call};
use std::time::Duration;

impl Session {
    /// Notifications that are not about Klipper's state, status or history.
    pub(super) fn on_news(&mut self, method: &str, message: &[u8], now: Duration, actions: &mut Vec<Action>) {
        match method {
            "notify_gcode_response" => {
                if let Some(text) = wire::console(message) {
                    self.on_console(&text, now, actions);
                }
            }
            "notify_filelist_changed" => {
                if let Some(news) = wire::parameter(message) {
                    if self.file.change(&news) {
                        self.ask_about_file(now, actions);
                    }
                    let change = file_news::change(&news);
                    actions.extend(change.map(|change| Action::Emit(Observation::Files(change.into()))));
                }
            }
            "notify_webcams_changed" => {
                self.on_webcams(&wire::parameter(message).unwrap_or_default(), actions);
            }
            "notify_exception_status" => {
                if let Some(list) = wire::parameter(message) {
                    self.faults.replace(&list);
                    self.tell(false, actions);
                }
            }
            "notify_exception_notification" => {
                if let Some(exception) = wire::parameter(message) {
                    self.faults.raise(&exception, now);
                    self.tell(false, actions);
                }
            }
            _ => {}
        }
    }

    fn on_console(&mut self, text: &str, now: Duration, actions: &mut Vec<Action>) {
        let before = self.prompts.shown();
        for line in text.lines() {
            self.prompts.line(line);
            if let Some(line) = self.gate.pass(line, now) {
                actions.push(Action::Emit(Observation::Console(line.into())));
            }
        }
        if self.prompts.shown() != before {
            self.tell(false, actions);
        }
    }

    pub(super) fn on_webcams(&mut self, list: &Any<'_>, actions: &mut Vec<Action>) {
        if let Some(webcams) = webcams::webcams(list) {
            self.webcams = webcams;
            self.tell(false, actions);
        }
    }

    /// Takes the printer's list of objects.
    pub(super) fn on_list(&mut self, list: &Any<'_>, now: Duration, actions: &mut Vec<Action>) {
        let Some(names) = list.get("objects").items() else {
            self.list_at = Some(now + RELIST);
            return;
        };
        self.list_at = None;
        self.listed = Some(Layout::of(names.iter().filter_map(Any::text)));
        self.subscribe_to_all(now, actions);
    }

    /// Takes the answer to a subscription or query.
    pub(super) fn on_objects(
        &mut self,
        call: Call,
        message: &[u8],
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        match call {
            Call::Subscribe => {
                self.subscribed = true;
                self.objects_known = true;
                self.query_at = Some(now + FULL_QUERY);
            }
            Call::SubscribeAll => {
                self.all_subscribed = true;
                self.query_at = Some(now + FULL_QUERY);
                if let Some(layout) = self.listed.take() {
                    self.objects.adopt(layout);
                }
            }
            _ => {}
        }
        head::objects(message, &mut self.objects);
        self.look_at_objects(now, actions);
        if call == Call::Subscribe {
            // A later subscription replaces the earlier one.
            self.subscribe_to_all(now, actions);
        }
    }

    /// Subscribes to all that is listed, once the first subscription is answered: Moonraker answers them one
    /// after the other anyway, and the first sight needs only the first.
    fn subscribe_to_all(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.subscribed && (self.listed.is_some() || self.all_subscribed) {
            self.all_subscribed = false;
            self.pending.retain(|pending| pending.call != Call::SubscribeAll);
            self.ask(Call::SubscribeAll, now, actions);
        }
    }

    /// Looks at what was read of the printer's objects. Returns whether there is something new.
    pub(super) fn look_at_objects(&mut self, now: Duration, actions: &mut Vec<Action>) -> bool {
        let news = self.objects.take_news();
        if news.webhooks
            && let Some(state) = self.objects.webhooks_state
        {
            let message = match state {
                KlippyState::Ready => None,
                _ => self.objects.webhooks_message.clone(),
            };
            if message.is_some() {
                self.hold_until = None;
            }
            self.set_klippy(state, message, now);
        }
        if self.objects.print_state() != self.print_state {
            self.print_state = self.objects.print_state();
            self.history_at = Some(now + HISTORY_DELAY);
        }
        if self.file.watch(self.objects.file()) {
            self.ask_about_file(now, actions);
        }
        news.changed || news.webhooks
    }

    /// Asks for the facts of the present file. An answer that is on its way is about another one.
    fn ask_about_file(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.pending.retain(|pending| pending.call != Call::Metadata);
        if self.file.question().is_some() {
            self.ask(Call::Metadata, now, actions);
        }
    }

    /// Klipper's process ended: all that it told is void.
    pub(super) fn forget_objects(&mut self) {
        self.objects = Known::default();
        self.print_state = None;
        self.file.watch(None);
        self.prompts.forget();
        self.subscribed = false;
        self.all_subscribed = false;
        self.listed = None;
        self.list_at = None;
        self.query_at = None;
        self.pending.retain(|pending| {
            !matches!(
                pending.call,
                Call::Subscribe
                    | Call::ObjectsList
                    | Call::SubscribeAll
                    | Call::Query
                    | Call::PrinterInfo
                    | Call::Metadata
            )
        });
    }
}
