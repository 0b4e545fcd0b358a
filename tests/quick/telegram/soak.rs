//! Whole days of prints on a virtual clock: the bridge without threads and sockets, behind a network that is cut for
//! minutes and hours, answers that get lost, floods, servers in trouble, a bot that is thrown out; with restarts and
//! power cuts at any moment, and clocks that are set late. What must be told is told once, in order and in time.
//!
//! Each day follows from a number: `SOAK_SEEDS=17` plays the 17th, `SOAK_SEEDS=100..200` a hundred of them.

mod chat;
mod day;
mod dice;
mod sky;
mod verdict;

use super::pictures::jpeg;
use crate::support::camera::never_asked;
use chat::{Chat, Clocks, GROUP, Hands, TOPIC};
use day::{DAY, Day, What};
use dice::Dice;
use octobridge::bridge::telegram::rehearsal::Rehearsal;
use octobridge::camera::Camera;
use octobridge::clock::Clock;
use octobridge::printer::{Event, Sight};
use sky::Sky;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use verdict::Verdict;

/// The wall clock at the beginning of a day: 2026-11-21.
const START: Duration = Duration::from_secs(1_795_222_000);
/// A wall clock that nobody has set.
const UNSET: Duration = Duration::ZERO;
/// How long what waits in the evening may take to be told.
const EVENING: Duration = Duration::from_secs(3600);
/// How many of the last events a new run of the program may tell again: it stores its memory a little later.
const AGAIN: u64 = 3;

/// What happens to the printer besides its prints.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// The program begins anew.
    Restart,
    /// The power goes as soon as the next message is in the chat, and before that is written down.
    PowerCut,
    /// Somebody sets the clock.
    Clock(Duration),
}

/// Every picture of the day.
static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(jpeg);

struct World {
    dice: Dice,
    clocks: Clocks,
    chat: Chat,
    folder: PathBuf,
    camera: Camera,
    bridge: Option<Rehearsal<Chat>>,
    /// The last events.
    told: Vec<Event>,
    restarts: usize,
}

#[test]
fn a_day_of_prints_is_told_once_in_order_and_in_time() {
    let seeds = std::env::var("SOAK_SEEDS").unwrap_or_else(|_| "0..30".to_owned());
    let (from, to) = match seeds.split_once("..") {
        Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
        None => (seeds.parse().unwrap(), seeds.parse::<u64>().unwrap() + 1),
    };
    let mut sum = Verdict::default();
    for seed in from..to {
        let verdict = play(seed).unwrap_or_else(|what| panic!("SOAK_SEEDS={seed}: {what}"));
        println!("day {seed}: {verdict}");
        sum += verdict;
    }
    println!("days {seeds}: {sum}");
    if to - from > 10 {
        // Else the days are too fine for what they are to show.
        let rare = [sum.repeated, sum.late, sum.lost_answers, sum.floods, sum.restarts];
        assert!(rare.iter().all(|count| *count > 0), "{sum}");
    }
}

/// Plays a day and the evening after it.
fn play(seed: u64) -> Result<Verdict, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(seed);
    let mut day = Day::new(&mut dice);
    let end = day.happenings.last().map_or(DAY, |(at, _)| *at) + Duration::from_secs(600);
    let mishaps = mishaps(&mut dice, end);
    let sky = Sky::new(&mut dice, end);
    let mut world = World::new(dice, sky, folder.path());
    if matches!(mishaps.first(), Some((_, Mishap::Clock(_)))) {
        world.clocks.0.lock().unwrap().wall = UNSET;
    }
    let mut walls = Vec::new();
    let mut mishaps = mishaps.into_iter().peekable();
    for (at, what) in std::mem::take(&mut day.happenings) {
        while let Some((at, mishap)) = mishaps.next_if(|(when, _)| *when <= at) {
            world.pass_time(at);
            world.befall(mishap);
        }
        world.pass_time(at);
        if let What::Event(event, _) = &what
            && day::word(&event.kind).is_some()
        {
            walls.push(world.clocks.hands().wall);
        }
        world.happen(at, what);
        world.work();
    }
    world.pass_time(end + EVENING);
    let waiting = world.bridge.as_ref().map_or(0, Rehearsal::waiting);
    let found = verdict::judge(&day, &walls, &world.chat.requests(), world.chat.was_kicked())?;
    match waiting {
        0 => Ok(Verdict { restarts: world.restarts, ..found }),
        waiting => Err(format!("{waiting} messages still wait in the evening")),
    }
}

fn mishaps(dice: &mut Dice, end: Duration) -> Vec<(Duration, Mishap)> {
    let mut mishaps = Vec::new();
    if dice.once_in(3) {
        mishaps.push((Duration::from_secs(dice.between(1, 4 * 3600)), Mishap::Clock(START)));
    }
    for _ in 0..dice.below(12) {
        let at = Duration::from_secs(dice.below(end.as_secs()));
        mishaps.push((at, if dice.once_in(2) { Mishap::Restart } else { Mishap::PowerCut }));
    }
    if dice.once_in(3) {
        let at = Duration::from_secs(dice.between(5 * 3600, end.as_secs()));
        let off = Duration::from_secs(dice.between(60, 5 * 3600));
        mishaps.push((at, Mishap::Clock(if dice.once_in(2) { START + off } else { START - off })));
        mishaps.push((at + Duration::from_secs(dice.between(60, 7200)), Mishap::Clock(START)));
    }
    mishaps.sort_by_key(|(at, _)| *at);
    mishaps
}

fn setting(name: &str) -> Option<String> {
    Some(match name {
        "TELEGRAM_BOT_TOKEN" => "1:soak".to_owned(),
        "TELEGRAM_CHAT_ID" => GROUP.to_string(),
        "TELEGRAM_THREAD_ID" => TOPIC.to_string(),
        "PHOTO_INTERVAL_SECONDS" => "900".to_owned(),
        _ => return None,
    })
}

impl World {
    fn new(mut dice: Dice, sky: Sky, folder: &Path) -> Self {
        let clocks = Clocks::default();
        clocks.0.lock().unwrap().wall = START;
        let chat = Chat::new(clocks.clone(), sky, Dice::new(dice.below(u64::MAX)), folder);
        let camera = never_asked(clocks.clone());
        let folder = folder.to_owned();
        let mut world =
            Self { dice, clocks, chat, folder, camera, bridge: None, told: Vec::new(), restarts: 0 };
        world.begin();
        world
    }

    /// A new run of the program.
    fn begin(&mut self) {
        // The journal is locked while somebody has it.
        self.bridge = None;
        {
            let mut hands = self.clocks.0.lock().unwrap();
            hands.born = hands.true_time;
        }
        self.camera = never_asked(self.clocks.clone());
        let clocks = || -> Box<dyn Clock> { Box::new(self.clocks.clone()) };
        let fresh = Duration::from_secs(60);
        let bridge =
            Rehearsal::new(&setting, &self.folder, self.camera.clone(), fresh, self.chat.clone(), &clocks);
        self.bridge = Some(bridge.unwrap());
    }

    fn restart(&mut self) {
        self.restarts += 1;
        self.begin();
        let again = self.told.len().saturating_sub(self.dice.below(AGAIN + 1) as usize);
        let Self { told, bridge, .. } = self;
        for event in &told[again..] {
            bridge.as_mut().unwrap().on_event(event);
        }
    }

    fn tell(&mut self, event: &Event) {
        self.bridge.as_mut().unwrap().on_event(event);
    }

    fn befall(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Restart => self.restart(),
            Mishap::PowerCut => self.chat.doom(),
            Mishap::Clock(wall) => self.clocks.0.lock().unwrap().wall = wall,
        }
    }

    fn happen(&mut self, at: Duration, what: What) {
        match what {
            What::Event(mut event, before) => {
                event.at = (self.clocks.hands().wall + at).saturating_sub(before);
                // The program may end before it has told the event, or between that and its delivery.
                let fate = self.dice.below(60);
                if fate == 0 {
                    self.restart();
                }
                self.tell(&event);
                if self.told.len() >= AGAIN as usize {
                    self.told.remove(0);
                }
                self.told.push(*event);
                if fate == 1 {
                    self.restart();
                }
            }
            What::Sight(snapshot, job) => {
                let now = self.clocks.now();
                let _ = self.camera.offer(PICTURE.clone(), now);
                self.bridge.as_mut().unwrap().on_sight(&Sight { snapshot, job, at: now });
            }
        }
    }

    /// Lets the bridge work, and tells when it has more to do, in the day's time.
    fn work(&mut self) -> Option<Duration> {
        loop {
            let next = self.bridge.as_mut().unwrap().work();
            if !self.chat.take_death() {
                return next.map(|next| next + self.clocks.hands().born);
            }
            self.restart();
        }
    }

    /// Goes from one thing to the next until that time.
    fn pass_time(&mut self, until: Duration) {
        while let Some(next) = self.work().filter(|next| *next <= until) {
            let Hands { true_time, .. } = self.clocks.hands();
            self.clocks.turn(next.max(true_time + Duration::from_millis(1)));
        }
        self.clocks.turn(until);
    }
}
