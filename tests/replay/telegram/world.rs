//! A feed, a printer behind it, the bridge and a chat, on a clock that jumps from one thing to the next.

use super::chat::{Chat, Request};
use super::vector::{START, Vector, What};
use crate::support::camera::never_asked;
use crate::support::virtual_time::Turned;
use base64::Engine;
use octobridge::backoff::Backoff;
use octobridge::bridge::telegram::rehearsal::Rehearsal;
use octobridge::camera::Camera;
use octobridge::clock::{Clock, Moment};
use octobridge::printer::{Memory, Observation, Observer, Sight};
use octobridge::source::feed::{Action, Session, WatchdogSettings};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// An attempt to reach the feed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attempt {
    /// When, in seconds since the start.
    pub(crate) t: f64,
    pub(crate) accepted: bool,
}

/// What came of a vector.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) requests: Vec<Request>,
    /// When the model was asked, and about which picture.
    pub(crate) asked: Vec<(f64, Vec<u8>)>,
    pub(crate) attempts: Vec<Attempt>,
    /// When this side closed a connection.
    pub(crate) closed: Vec<f64>,
}

/// The connection to the feed.
enum Link {
    Open,
    /// The next attempt comes then.
    Waiting(Duration),
}

struct World<'a> {
    vector: &'a Vector,
    clock: Turned,
    now: Rc<Cell<Duration>>,
    session: Session,
    backoff: Backoff,
    link: Link,
    accepts: bool,
    observer: Observer,
    camera: Camera,
    chat: Chat,
    bridge: Option<Rehearsal<Chat>>,
    log: Log,
}

/// Plays a vector to its end.
pub(crate) fn play(vector: &Vector) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(vector, folder.path());
    world.attempt();
    for event in &vector.events {
        world.pass_time(event.at);
        world.happen(&event.what);
        world.work();
    }
    let (attempts, closed) = (world.log.attempts.len(), world.log.closed.len());
    // What is on its way may still come; of the feed the vector says nothing any more.
    let rest = world.now.get() + Duration::from_secs(100);
    world.pass_time(rest);
    world.log.attempts.truncate(attempts);
    world.log.closed.truncate(closed);
    world.log.requests = world.chat.requests();
    world.log.asked = world.chat.asked();
    world.log
}

impl<'a> World<'a> {
    fn new(vector: &'a Vector, folder: &std::path::Path) -> Self {
        let seconds = |name: &str, usual: f64| {
            let given = vector.env.get(name).filter(|text| !text.trim().is_empty());
            Duration::from_secs_f64(given.map_or(usual, |text| text.trim().parse().unwrap()))
        };
        let least = seconds("RECONNECT_MIN_SECONDS", 1.0).max(Duration::from_millis(100));
        let most = seconds("RECONNECT_MAX_SECONDS", 30.0).max(least);
        let timeout = Some(seconds("IMAGE_TIMEOUT_SECONDS", 60.0)).filter(|timeout| !timeout.is_zero());
        let tick = seconds("WATCHDOG_TICK_SECONDS", 5.0).max(Duration::from_secs(1));
        let clock = Turned::from(START);
        let camera = never_asked(clock.clone());
        let now = Rc::new(Cell::new(Duration::ZERO));
        let chat = Chat::new(Rc::clone(&now));
        let setting = |name: &str| vector.env.get(name).filter(|text| !text.trim().is_empty()).cloned();
        let bridge = setting("TELEGRAM_BOT_TOKEN").map(|_| {
            let fresh = timeout.unwrap_or(Duration::from_secs(60));
            let clocks = || -> Box<dyn Clock> { Box::new(clock.clone()) };
            Rehearsal::new(&setting, folder, camera.clone(), fresh, chat.clone(), &clocks).unwrap()
        });
        Self {
            vector,
            now,
            session: Session::new(WatchdogSettings { timeout: timeout.unwrap_or_default(), tick }),
            backoff: Backoff::patient(least, most),
            link: Link::Waiting(Duration::ZERO),
            accepts: !first_refuses(vector),
            observer: Observer::new(Memory::default()),
            camera,
            chat,
            bridge,
            clock,
            log: Log::default(),
        }
    }

    fn moment(&self) -> Moment {
        self.clock.now()
    }

    fn happen(&mut self, what: &What) {
        match what {
            What::Text(text) => self.receive(text),
            What::Frame(name) => {
                let jpeg = &self.vector.frames[name];
                let image = base64::engine::general_purpose::STANDARD.encode(jpeg);
                self.receive(&serde_json::json!({"type": "jpeg_image", "image": image}).to_string());
            }
            What::Binary => {
                if matches!(self.link, Link::Open) {
                    self.session.on_traffic(self.now.get());
                    self.session.on_binary(self.now.get());
                }
            }
            What::Close => {
                if matches!(self.link, Link::Open) {
                    self.close("closed by the feed");
                }
            }
            What::Accept(accepts) => self.accepts = *accepts,
            What::TelegramPlan(plan) => self.chat.plan(plan),
            What::AiPlan(plan) => self.chat.plan_model(plan),
            What::Http(..) | What::Wait => {}
        }
    }

    fn receive(&mut self, text: &str) {
        if matches!(self.link, Link::Open) {
            self.session.on_traffic(self.now.get());
            let actions = self.session.on_message(text.as_bytes().to_vec(), self.moment());
            self.act(actions);
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Emit(observation) => self.observe(&observation),
                Action::Picture(jpeg) => {
                    let _ = self.camera.offer(jpeg, self.moment());
                }
                // The feed answers.
                Action::Ping => self.session.on_traffic(self.now.get()),
                Action::Close(why) => {
                    self.log.closed.push(self.now.get().as_secs_f64());
                    self.close(&why.to_string());
                }
            }
        }
    }

    fn observe(&mut self, observation: &Observation) {
        let at = self.moment();
        let events = self.observer.observe(observation, at);
        let Some(bridge) = &mut self.bridge else { return };
        events.iter().for_each(|event| bridge.on_event(event));
        if let Observation::Seen(snapshot) = observation {
            let job = self.observer.job().map(Arc::from);
            bridge.on_sight(&Sight { snapshot: Arc::clone(snapshot), job, at });
        }
    }

    /// The connection ends, from whichever side.
    fn close(&mut self, reason: &str) {
        let useful = self.session.is_useful(self.now.get());
        let lost = self.session.on_closed(reason);
        self.act(lost);
        self.wait(useful);
    }

    fn wait(&mut self, useful: bool) {
        if useful {
            self.backoff.reset();
        }
        let delay = self.backoff.next_delay(octobridge::backoff::random());
        self.link = Link::Waiting(self.now.get() + delay);
    }

    fn attempt(&mut self) {
        self.log.attempts.push(Attempt { t: self.now.get().as_secs_f64(), accepted: self.accepts });
        if self.accepts {
            self.session.on_connected(self.now.get());
            self.link = Link::Open;
        } else {
            let lost = self.session.on_closed("refused");
            self.act(lost);
            self.wait(false);
        }
    }

    /// Lets the bridge work, and tells when it has more to do.
    fn work(&mut self) -> Option<Duration> {
        self.bridge.as_mut().and_then(Rehearsal::work)
    }

    /// Goes from one thing to the next until that time.
    fn pass_time(&mut self, until: Duration) {
        loop {
            let work = self.work();
            let link = match self.link {
                Link::Open => self.session.next_tick(),
                Link::Waiting(next) => Some(next),
            };
            let next = [work, link].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.turn(next);
            match self.link {
                Link::Open => {
                    let actions = self.session.on_tick(self.now.get());
                    self.act(actions);
                }
                Link::Waiting(next) if next <= self.now.get() => self.attempt(),
                Link::Waiting(_) => {}
            }
        }
        self.turn(until);
    }

    fn turn(&mut self, to: Duration) {
        let to = to.max(self.now.get());
        self.now.set(to);
        self.clock.turn(to);
    }
}

/// Whether the feed refuses from the very beginning.
pub(super) fn first_refuses(vector: &Vector) -> bool {
    vector.events.iter().any(|event| event.at.is_zero() && matches!(event.what, What::Accept(false)))
}
