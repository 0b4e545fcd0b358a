//! Telegram, from the page: the bot's token is taken, the chats that send the code are shown, and one is chosen.

use super::board::Ticket;
use super::{Work, said};
use crate::bridge::telegram::pairing::{Candidate, HELLO, News, PairError, Pairing};
use crate::clock::Clock;
use crate::page::{Choice, Course, Extra, Invitation, SAID, fill};
use crate::settings::{Instance, Secret};
use crate::setup::Stop;
use crate::setup::telegram::Target;
use crate::tls;
use crate::worker::{Seen, Wanted, look};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// How long chats are waited for, and a choice among them.
const PATIENCE: Duration = Duration::from_secs(600);
/// Most chats to choose from.
const MOST: usize = 8;
/// A bridge that is to rest does so within this time, or it is gone on without.
const RESTS_WITHIN: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(200);

/// Finds the chat, and stores it.
pub(super) fn pair(
    work: &Work,
    ticket: &Ticket,
    instance: &Instance,
    token: Option<Secret>,
) -> Result<String, String> {
    let target = target(work, instance)?;
    let stored = instance.text("TELEGRAM_BOT_TOKEN");
    let token = token.or_else(|| stored.map(Secret::new)).ok_or(SAID.telegram_no_token)?;
    let name = instance.name();
    // Only one program may fetch a bot's messages.
    let same = instance.enabled.value && stored == Some(token.expose());
    let rest = same.then(|| Rest::begin(work, &name));
    let outcome = find(work, ticket, &target, token.expose());
    drop(rest);
    outcome
}

/// A bridge that rests, until this is dropped.
struct Rest<'a>(&'a Work, &'a str);

impl<'a> Rest<'a> {
    fn begin(work: &'a Work, name: &'a str) -> Self {
        let (board, before) = (&work.board, work.board.reloads());
        board.rest(name, true);
        board.ask_to_reload();
        let until = work.clock.now().monotonic.saturating_add(RESTS_WITHIN);
        while board.reloads() == before && work.clock.now().monotonic < until {
            sleep(STEP);
        }
        Self(work, name)
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.board.rest(self.1, false);
        self.0.reload();
    }
}

fn find(work: &Work, ticket: &Ticket, target: &Target, token: &str) -> Result<String, String> {
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let tls = tls.map_err(|error| error.to_string())?;
    let mut pairing = Pairing::open(&target.with_token(token), tls).map_err(|error| explain(&error))?;
    let until = work.clock.now().monotonic.saturating_add(PATIENCE);
    ticket.show(Course::Waiting(invitation(&pairing, until)));
    let mut found: Vec<Candidate> = Vec::new();
    let (chosen, control) = loop {
        let left = until.saturating_sub(work.clock.now().monotonic);
        let seen = pairing.wait(left, &mut |news| {
            if let News::Remark(text) = news {
                ticket.remark(text);
            }
            if ticket.is_over() || ticket.is_chosen() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match seen {
            Ok(candidate) => {
                if found.len() < MOST && !found.contains(&candidate) {
                    found.push(candidate);
                }
                ticket.show(question(&found));
            }
            Err(PairError::Cancelled) => match ticket.chosen() {
                Some((value, control)) => {
                    let choice = value.parse().ok().and_then(|number: usize| found.get(number));
                    if let Some(choice) = choice {
                        break (choice.clone(), control);
                    }
                    ticket.show(question(&found));
                }
                None => return Err(explain(&PairError::Cancelled)),
            },
            Err(PairError::Late(_)) if !found.is_empty() => {
                return Err(SAID.telegram_late.to_owned());
            }
            Err(error) => return Err(explain(&error)),
        }
    };
    let picture = match look(&work.settings, Wanted::Picture) {
        Ok(Seen { picture: Ok(shot), .. }) => Some(shot),
        _ => None,
    };
    let jpeg = picture.as_ref().map(|shot| shot.frame.jpeg.as_ref());
    ticket.still_counts()?;
    pairing
        .greet(&chosen, HELLO, jpeg)
        .map_err(|error| fill(SAID.telegram_not_stored, &[&error.to_string()]))?;
    ticket.still_counts()?;
    let person = chosen.person.as_ref().filter(|_| control);
    let notes = target.store(token, &chosen, person).map_err(|stop| stop.to_string())?;
    Ok(said(&fill(SAID.telegram_done, &[&chosen.title]), notes))
}

fn invitation(pairing: &Pairing, until: Duration) -> Invitation {
    Invitation {
        link: Some(pairing.link(false)),
        extras: vec![
            Extra { label: SAID.telegram_group, text: pairing.link(true) },
            Extra {
                label: SAID.telegram_topic,
                text: format!("/start@{} {}", pairing.username, pairing.code()),
            },
        ],
        until,
        ..Invitation::default()
    }
}

fn question(found: &[Candidate]) -> Course {
    let choice = |(number, candidate): (usize, &Candidate)| {
        let topic = candidate.thread.map(|thread| fill(SAID.telegram_in_topic, &[&thread.to_string()]));
        let label = [&candidate.title, topic.as_deref().unwrap_or_default()].concat();
        Choice { value: number.to_string(), label }
    };
    let who = found.last().and_then(|candidate| candidate.person.as_ref());
    let who = who.map_or(SAID.telegram_somebody, |person| &person.name);
    Course::Asking {
        question: fill(SAID.telegram_question, &[who]),
        control: found.iter().any(|candidate| candidate.person.is_some()),
        choices: found.iter().enumerate().map(choice).collect(),
    }
}

fn explain(error: &PairError) -> String {
    match error {
        PairError::Poller => fill(SAID.telegram_poller, &[&error.to_string()]),
        // It was waited for by and by.
        PairError::Late(_) => PairError::Late(PATIENCE).to_string(),
        // On the page it has no name but its field's.
        error => error.to_string().replacen("TELEGRAM_BOT_TOKEN: ", SAID.telegram_the_token, 1),
    }
}

/// Forgets the bot.
pub(super) fn forget(work: &Work, instance: &Instance) -> Result<String, String> {
    let mut target = target(work, instance)?;
    let _alone = work.board.switching();
    target.place.stays = work.needs(&instance.name());
    let notes = target.forget().map_err(|stop| stop.to_string())?;
    Ok(said(SAID.telegram_forgotten, notes))
}

fn target(work: &Work, instance: &Instance) -> Result<Target, String> {
    let label = (!instance.label.is_empty()).then_some(instance.label.as_str());
    Target::find(work.settings.clone(), label, &work.ground.environment)
        .map_err(|stop: Stop| stop.to_string())
}
