//! The thread that goes round the cameras, one request at a time: asks each for its picture when that is due, and sends it.

use super::course::{Answer, Condition, Course, Sent, Step};
use super::handle::{Means, Shared};
use super::request::{self, Card};
use super::set::{self, Wanted};
use crate::backoff::random;
use crate::bridge::prusa_connect::carrier::Carrier;
use crate::bridge::prusa_connect::connect::http::Reply;
use crate::bridge::prusa_connect::connect::identity::Identity;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::store::{CameraTokens, StoreError};
use crate::camera::Camera;
use crate::clock::{Clock, Moment};
use crate::printer::Webcam;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// A printer that lists no camera for so long has none in its list.
const NO_LIST: Duration = Duration::from_secs(60);
/// How often it is tried then whether it has one nevertheless.
const TRY_UNLISTED: Duration = Duration::from_secs(600);
/// A picture that was pushed is good for so long.
const PUSHED: Duration = Duration::from_secs(60);
/// How often the thread looks round if nothing is due.
const LOOK: Duration = Duration::from_secs(30);

/// A camera on the round.
struct One {
    wanted: Wanted,
    camera: Camera,
    course: Course,
    /// Connect was told of it, where it was added there.
    told: bool,
}

pub(super) struct Round {
    means: Means,
    shared: Arc<Shared>,
    carrier: Carrier,
    tokens: CameraTokens,
    /// The printer's token that the cameras were last told of.
    known: Option<Token>,
    cameras: Vec<One>,
    webcams: Option<Arc<[Webcam]>>,
    /// When a camera that is not in the list is tried next.
    try_unlisted: Option<Duration>,
    _alive: Sender<()>,
}

impl Round {
    pub(super) fn new(means: Means, shared: Arc<Shared>, alive: Sender<()>) -> Self {
        let carrier = Carrier::of_camera(&means.server, Arc::clone(&means.tls));
        let (tokens, error) = CameraTokens::open(&means.data_dir, &means.id, means.printer.as_ref());
        if let Some(error) = error {
            log::warn!("{}: {error}", means.id);
        }
        let (cameras, webcams, try_unlisted) = (Vec::new(), None, None);
        let known = means.printer.clone();
        Self { means, shared, carrier, tokens, known, cameras, webcams, try_unlisted, _alive: alive }
    }

    fn now(&self) -> Moment {
        self.means.clock.now()
    }

    pub(super) fn run(mut self) {
        loop {
            let mut news = self.shared.news();
            news.fresh = false;
            if news.stops {
                return;
            }
            let (webcams, layer, printer) = (news.webcams.clone(), news.layer, news.printer.clone());
            let demanded = std::mem::take(&mut news.demanded);
            drop(news);
            let now = self.now().monotonic;
            if let Some((_, token)) = printer.as_deref() {
                self.follow(token, now);
            }
            if let Some(webcams) = webcams {
                self.list(&webcams, now);
            }
            for one in &mut self.cameras {
                one.course.see(layer, now);
                if demanded {
                    one.course.demand(now);
                }
            }
            let mut until = now.saturating_add(LOOK);
            for index in 0..self.cameras.len() {
                if let Some(at) = self.visit(index, printer.as_deref()) {
                    until = until.min(at);
                }
            }
            self.tell_conditions();
            self.rest(until);
        }
    }

    /// The printer has that token. Another one than before may open what was refused.
    fn follow(&mut self, token: &Token, now: Duration) {
        if self.known.as_ref() == Some(token) {
            return;
        }
        if self.known.replace(token.clone()).is_some() {
            self.cameras.iter_mut().for_each(|one| one.course.try_again(now));
        }
        self.write(|tokens| tokens.belong_to(token));
    }

    /// Waits for news, or until that time.
    fn rest(&self, until: Duration) {
        let left = until.saturating_sub(self.now().monotonic);
        self.shared.wait(left);
    }

    /// Takes the printer's list of cameras.
    fn list(&mut self, webcams: &Arc<[Webcam]>, now: Duration) {
        if self.webcams.as_ref().is_none_or(|known| known != webcams) {
            self.webcams = Some(Arc::clone(webcams));
            let in_use = self.means.camera.status().name;
            let wanted = set::listed(webcams, in_use.as_deref(), self.means.trigger, &self.means.entered);
            self.take(wanted, now);
            self.try_unlisted = webcams.is_empty().then(|| now.saturating_add(NO_LIST));
        }
        let Some(at) = self.try_unlisted.filter(|at| now >= *at && self.cameras.is_empty()) else { return };
        // One that never gave a picture would stand in Connect for nothing.
        self.try_unlisted = Some(at.saturating_add(TRY_UNLISTED).max(now));
        let stops = || self.shared.news().stops;
        if let Some(Ok(_)) = self.means.camera.frame_unless(PUSHED, &stops) {
            let name = self.means.camera.status().name;
            let wanted = set::unlisted(name.as_deref(), self.means.trigger, &self.means.entered);
            self.take(vec![wanted], now);
        }
    }

    /// Goes on with these. Those that were there before go on as they are.
    fn take(&mut self, wanted: Vec<Wanted>, now: Duration) {
        let mut before = std::mem::take(&mut self.cameras);
        for wanted in wanted {
            if let Some(place) = before.iter().position(|one| one.wanted == wanted) {
                self.cameras.push(before.swap_remove(place));
                continue;
            }
            let camera = match &wanted.listed {
                Some(name) => self.means.camera.other(name, Box::new(self.means.clock)),
                None => self.means.camera.clone(),
            };
            let entered = wanted.entered.as_ref().map(|entered| entered.token.clone());
            let token = entered.or_else(|| self.tokens.get(&wanted.card.id).cloned());
            let course = Course::new(self.means.trigger, token, wanted.entered.is_some(), now);
            self.cameras.push(One { wanted, camera, course, told: false });
        }
    }

    /// Does what a camera wants. When it wants something next, if that is known.
    fn visit(&mut self, index: usize, printer: Option<&(Identity, Token)>) -> Option<Duration> {
        loop {
            let now = self.now();
            let one = self.cameras.get_mut(index)?;
            match one.course.step(printer.is_some(), now.monotonic) {
                Step::Wait(until) => return until,
                Step::Register => {
                    let (identity, token) = printer?;
                    let request = request::register(&one.wanted.card, None, identity, token, now.unix);
                    let reply = self.carrier.send(&request);
                    let now = self.means.clock.now();
                    let own = reply.as_ref().ok().and_then(|reply| Token::new(reply.header("Token")?));
                    one.course.registered(answer(reply, token, now), own, random(), now.monotonic);
                    let (id, token) = (one.wanted.card.id.clone(), one.course.token().cloned());
                    if token.is_some() {
                        log::info!("{}: camera \"{}\" is registered", self.means.id, one.wanted.card.name);
                    }
                    self.keep(&id, token);
                }
                Step::Picture => {
                    let stops = || self.shared.news().stops;
                    let frame = one.camera.frame_unless(Duration::ZERO, &stops)?;
                    let (sent, size) = match (frame, one.course.token()) {
                        (Ok(frame), Some(token)) => {
                            let request = request::snapshot(&one.wanted.card, token, now.unix);
                            let reply = self.carrier.carry(
                                request.method,
                                request.path,
                                &request.headers,
                                Some(&frame.jpeg),
                            );
                            (
                                Sent::Answered(answer(reply, token, self.means.clock.now())),
                                Some((frame.width, frame.height)),
                            )
                        }
                        (Err(error), _) => (Sent::NoPicture(error.to_string()), None),
                        (Ok(_), None) => return None,
                    };
                    let arrived = matches!(sent, Sent::Answered(Answer::Status(200..=299 | 304, ..)));
                    let lost = one.course.sent(sent, random(), self.means.clock.now().monotonic);
                    if let (true, true, false, Some(size)) =
                        (arrived, one.wanted.entered.is_some(), one.told, size)
                    {
                        one.told = true;
                        if let Some(token) = one.course.token() {
                            introduce(&self.carrier, &one.wanted.card, token, size);
                        }
                    }
                    if lost && one.wanted.entered.is_none() {
                        let id = one.wanted.card.id.clone();
                        self.keep(&id, None);
                    }
                }
            }
            if self.shared.news().stops {
                return None;
            }
        }
    }

    fn keep(&mut self, camera: &str, token: Option<Token>) {
        self.write(|tokens| tokens.set(camera, token));
    }

    /// Writes what is kept of the cameras, unless this round is over: then the file is another one's, who may have a
    /// newer token in it.
    fn write(&mut self, change: impl FnOnce(&mut CameraTokens) -> Result<(), StoreError>) {
        // It cannot be over before this is let go.
        let news = self.shared.news();
        if news.stops {
            return;
        }
        let written = change(&mut self.tokens);
        drop(news);
        if let Err(error) = written {
            log::warn!("{}: {error}; the cameras are registered again after a restart", self.means.id);
        }
    }

    /// Tells how the cameras are, and logs what is another trouble than before.
    fn tell_conditions(&self) {
        let now = self.now().monotonic;
        let told = |one: &One| (one.wanted.card.name.clone(), one.course.condition(now));
        let conditions: Vec<(String, Condition)> = self.cameras.iter().map(told).collect();
        let mut news = self.shared.news();
        let before = std::mem::replace(&mut news.conditions, conditions.clone());
        drop(news);
        for (name, condition) in conditions {
            let was = before.iter().find(|(known, _)| *known == name).map(|(_, condition)| condition);
            match &condition {
                Condition::Trouble(_) if was == Some(&condition) => {}
                Condition::Trouble(text) => log::warn!("{}: camera \"{name}\" {text}", self.means.id),
                Condition::Well if matches!(was, Some(Condition::Trouble(_))) => {
                    log::info!("{}: camera \"{name}\" works again", self.means.id);
                }
                Condition::Well | Condition::New => {}
            }
        }
    }
}

/// Tells of a camera that was added in Connect itself. Whether that is taken does not matter.
fn introduce(carrier: &Carrier, card: &Card, token: &Token, size: (u16, u16)) {
    let (request, body) = request::info(card, token, size);
    let told = carrier.carry(request.method, request.path, &request.headers, Some(body.as_bytes()));
    if let Err(why) = told {
        log::debug!("camera \"{}\": {why}", card.name);
    }
}

/// `token` is what was sent, and may be said back.
fn answer(reply: Result<Reply, String>, token: &Token, now: Moment) -> Answer {
    match reply {
        Ok(reply) => Answer::Status(reply.status, reply.words(Some(token)), reply.retry_after(now.unix)),
        Err(why) => Answer::Unreachable(why),
    }
}
