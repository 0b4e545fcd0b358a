//! What the chat of a day must look like.

use super::chat::{Hands, Request};
use super::day::{Day, Milestone};
use octobridge::calendar;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// From that age on a message says when its event was, and progress is not told any more.
const LATE: Duration = Duration::from_secs(600);
/// Most messages that a group takes in a minute.
const MOST: usize = 20;

/// How often what happened.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) ends: usize,
    pub(super) requests: usize,
    /// Beginnings and ends that came again, after an answer was lost.
    pub(super) repeated: usize,
    /// Beginnings and ends that came late.
    pub(super) late: usize,
    pub(super) lost_answers: usize,
    pub(super) floods: usize,
    pub(super) progress: usize,
    pub(super) photos: usize,
    pub(super) restarts: usize,
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.ends += other.ends;
        self.requests += other.requests;
        self.repeated += other.repeated;
        self.late += other.late;
        self.lost_answers += other.lost_answers;
        self.floods += other.floods;
        self.progress += other.progress;
        self.photos += other.photos;
        self.restarts += other.restarts;
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ends, requests, repeated, late, lost_answers, floods, progress, photos, restarts } = self;
        write!(
            f,
            "{ends} ends in {requests} requests, {late} messages late, {repeated} repeated after {lost_answers} lost answers, {floods} refusals with 429, {progress} steps, {photos} photos, {restarts} restarts"
        )
    }
}

/// One thing that was said, maybe together with others.
struct Said<'r> {
    request: &'r Request,
    /// The time that is named in front.
    date: Option<&'r str>,
    text: &'r str,
}

/// What came into the chat, or the first thing that is wrong with it. `walls` are the wall clocks at the milestones;
/// where the bot was `kicked`, what is not an end may be missing.
pub(super) fn judge(
    day: &Day,
    walls: &[Duration],
    requests: &[Request],
    kicked: bool,
) -> Result<Verdict, String> {
    pace(requests)?;
    let done: Vec<&Request> = requests.iter().filter(|request| request.done).collect();
    let mut verdict = Verdict {
        requests: requests.len(),
        ends: day.milestones.iter().filter(|milestone| milestone.is_end()).count(),
        lost_answers: done.iter().filter(|request| !request.known).count(),
        floods: requests.iter().filter(|request| request.wait.is_some()).count(),
        photos: done.iter().filter(|request| !request.is_text).count(),
        ..Verdict::default()
    };
    let said: Vec<Said<'_>> = done.iter().filter(|request| request.is_text).flat_map(|r| said(r)).collect();
    let mut last = 0;
    for (milestone, wall) in day.milestones.iter().zip(walls) {
        let begin = format!("{}: n{}-", milestone.word, milestone.job);
        let mut told = said.iter().enumerate().filter(|(_, said)| said.text.starts_with(&begin));
        let Some((place, first)) = told.next() else {
            if kicked && !milestone.is_end() {
                continue;
            }
            return Err(format!("never told: {milestone:?}"));
        };
        if place < last {
            return Err(format!("before what was earlier: {milestone:?} at {:?}", first.request.at));
        }
        last = place;
        verdict.late += usize::from(dated(milestone, *wall, first)?);
        let mut before = first;
        for (_, again) in told {
            if before.request.known {
                let (one, other) = (before.request.at, again.request.at);
                return Err(format!("told twice: {milestone:?} at {one:?} and at {other:?}"));
            }
            verdict.repeated += 1;
            before = again;
        }
    }
    for said in &said {
        invented(day, said.text)?;
        verdict.progress += usize::from(young(day, said.request, said.text)?);
    }
    photos(day, &done)?;
    Ok(verdict)
}

/// Checks that a beginning or an end was there.
fn invented(day: &Day, text: &str) -> Result<(), String> {
    const WORDS: [&str; 5] = ["Started: n", "Completed: n", "Cancelled: n", "Failed: n", "Ended: n"];
    let known = |milestone: &Milestone| text.starts_with(&format!("{}: n{}-", milestone.word, milestone.job));
    if WORDS.iter().any(|word| text.starts_with(word)) && !day.milestones.iter().any(known) {
        return Err(format!("told, and never was: {text:?}"));
    }
    Ok(())
}

/// The messages in a request: several that waited long are told in one.
fn said(request: &Request) -> impl Iterator<Item = Said<'_>> {
    request.text.split("\n\n").map(move |text| {
        let dated = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        let (date, text) = dated.map_or((None, text), |(date, text)| (Some(date), text));
        Said { request, date, text }
    })
}

/// Checks the date of a message; says whether it came late.
fn dated(milestone: &Milestone, wall: Duration, said: &Said<'_>) -> Result<bool, String> {
    let age = said.request.at.true_time.saturating_sub(milestone.at);
    // What a clock that was set in between makes of it is not the truth.
    let honest = wall == said.request.at.wall && !wall.is_zero();
    // The event was dated a moment before it was told.
    let unclear = age.abs_diff(LATE) < Duration::from_secs(5);
    if honest && !unclear && (age >= LATE) != said.date.is_some() {
        return Err(format!("{milestone:?} is dated {:?} after {age:?}", said.date));
    }
    if let (true, Some(date)) = (honest, said.date) {
        let earliest = wall + milestone.at - Duration::from_secs(5);
        let right = [earliest, wall + milestone.at].map(calendar::utc);
        if !right.iter().any(|right| right == date) {
            return Err(format!("{milestone:?} is dated {date}, and was at {right:?}"));
        }
    }
    Ok(age >= LATE)
}

/// Checks that a step of the progress, or a picture of it, is young; says whether it is one.
fn young(day: &Day, request: &Request, text: &str) -> Result<bool, String> {
    let number = text.split_once("layer ").and_then(|(_, rest)| rest.split_once(&format!("/{}", u32::MAX)));
    let Some(number) = number.and_then(|(number, _)| number.parse::<usize>().ok()) else { return Ok(false) };
    let (at, seen) = (request.at, day.sights[number - 1]);
    let age = at.true_time.saturating_sub(seen);
    // A text is as old as its sight, a picture is as young as its frame: up to a minute older.
    match age <= LATE + Duration::from_secs(60) {
        true => Ok(true),
        false => Err(format!("{text:?} was told {age:?} late, at {at:?}")),
    }
}

fn photos(day: &Day, done: &[&Request]) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for photo in done.iter().filter(|request| !request.is_text) {
        young(day, photo, &photo.text)?;
        let headline = photo.text.lines().next().unwrap_or_default();
        let of = day.milestones.iter().find(|milestone| {
            milestone.is_end() && headline.starts_with(&format!("{}: n{}-", milestone.word, milestone.job))
        });
        let Some(end) = of else { continue };
        let age = photo.at.true_time.saturating_sub(end.at);
        if age > LATE + Duration::from_secs(60) {
            return Err(format!("a picture of {end:?} came {age:?} late"));
        }
        if photo.known && !known.insert(end.job) {
            return Err(format!("two pictures of {end:?}"));
        }
    }
    Ok(())
}

/// Checks that no run of the program asks too much of the service.
fn pace(requests: &[Request]) -> Result<(), String> {
    for (index, request) in requests.iter().enumerate() {
        let Hands { true_time, born, .. } = request.at;
        let same_run = |other: &&Request| other.at.born == born;
        let later = requests[index..].iter().take_while(same_run);
        let minute = later.filter(|other| other.at.true_time < true_time + Duration::from_secs(60)).count();
        if minute > MOST {
            return Err(format!("{minute} requests in the minute from {:?}", request.at));
        }
        let next = requests.get(index + 1).filter(same_run);
        if let (Some(wait), Some(next)) = (request.wait, next)
            && next.at.true_time < true_time + wait
        {
            return Err(format!("told to wait for {wait:?} at {:?}, and asks at {:?}", request.at, next.at));
        }
    }
    Ok(())
}
