//! What a vector expects, compared with what came.

use super::chat::Request;
use super::vector::{Vector, texts, window};
use super::world::{Attempt, Log};
use serde_json::Value;

/// The first difference.
pub(crate) fn compare(vector: &Vector, log: &Log) -> Result<(), String> {
    let topic = vector.env.get("TELEGRAM_THREAD_ID").is_some_and(|topic| !topic.trim().is_empty());
    if let Some(request) = log.requests.iter().find(|request| request.thread.is_some() && !topic) {
        return Err(format!("it goes to a topic: {request:?}"));
    }
    let delivery = Delivery::of(vector);
    delivery.check(log)?;
    let seen: Vec<&Request> = log.requests.iter().filter(|request| delivery.counts(request)).collect();
    compare_texts(vector, &seen, &delivery)?;
    compare_photos(vector, &seen, &delivery)?;
    compare_checks(vector, log)?;
    for rule in vector.expect.get("feed").and_then(|feed| feed["rules"].as_array()).into_iter().flatten() {
        follows(rule, log).map_err(|why| format!("{}: {why}", rule["rule"].as_str().unwrap_or_default()))?;
    }
    Ok(())
}

/// What is said of requests that are refused.
struct Delivery {
    /// Whether there is anything said.
    planned: bool,
    /// Whether everything must arrive.
    all: bool,
    deadline: Option<f64>,
    rules: Value,
}

impl Delivery {
    fn of(vector: &Vector) -> Self {
        let rules = vector.expect.get("delivery").cloned().unwrap_or(Value::Null);
        Self {
            planned: rules.is_object(),
            all: rules["all_text_delivered"].as_bool().unwrap_or(true),
            deadline: rules["deadline"].as_f64(),
            rules,
        }
    }

    /// Whether a request counts as a message.
    fn counts(&self, request: &Request) -> bool {
        !(self.planned && self.all) || request.is_done()
    }

    /// A window with the end that late deliveries have.
    fn window(&self, expected: &Value) -> (f64, f64) {
        let (from, to) = window(&expected["window"]);
        match self.deadline {
            Some(deadline) => (from, to.max(expected["t"].as_f64().unwrap_or(from) + deadline)),
            None => (from, to),
        }
    }

    fn check(&self, log: &Log) -> Result<(), String> {
        for (name, rule) in self.rules.as_object().into_iter().flatten() {
            match name.as_str() {
                "all_text_delivered" | "deadline" | "retry_without_thread_allowed" | "service_alive" => {}
                "chat_id_after_migration" => {
                    let moved =
                        log.requests.iter().filter(|request| request.chat == *rule && request.is_done());
                    let last = log.requests.last().map(|request| request.chat.clone());
                    if moved.count() == 0 || last.as_ref() != Some(rule) {
                        return Err(format!(
                            "the chat did not become {rule}; the last request was to {last:?}"
                        ));
                    }
                }
                "no_request_to_chat_for" => self.check_silence(rule, log)?,
                "max_requests_total" => {
                    let most = usize::try_from(rule.as_u64().unwrap()).unwrap();
                    if log.requests.len() > most {
                        return Err(format!("{} requests, and {most} are allowed", log.requests.len()));
                    }
                }
                other => return Err(format!("nobody knows what `{other}` of the delivery means")),
            }
        }
        Ok(())
    }

    /// No request within some time of an answer.
    fn check_silence(&self, rule: &Value, log: &Log) -> Result<(), String> {
        let status = rule["after_answer"].as_u64().unwrap();
        let seconds = rule["seconds"].as_f64().unwrap();
        for (index, request) in log.requests.iter().enumerate() {
            if request.status.map(u64::from) != Some(status) {
                continue;
            }
            if let Some(next) = log.requests.get(index + 1)
                && next.chat == request.chat
                && next.t - request.t < seconds - 1e-6
            {
                return Err(format!(
                    "a request at {} though {status} at {} asked for {seconds} s of silence",
                    next.t, request.t
                ));
            }
        }
        Ok(())
    }
}

fn compare_texts(vector: &Vector, seen: &[&Request], delivery: &Delivery) -> Result<(), String> {
    let groups = vector.expected("text");
    for group in &groups {
        let (from, to) = delivery.window(group);
        let within = |request: &&&Request| (from - 1e-6..=to + 1e-6).contains(&request.t);
        let of_printer = |request: &&&Request| {
            group["printer"].as_str().is_none_or(|printer| request.text.contains(printer))
        };
        let messages: Vec<&str> =
            seen.iter().filter(within).filter(of_printer).map(|request| request.text.as_str()).collect();
        let all = messages.join("\n");
        let shown = || format!("at {} came {messages:?}", group["t"]);
        if !delivery.all {
            continue;
        }
        if messages.len() < usize::try_from(group["min_messages"].as_u64().unwrap_or(0)).unwrap() {
            return Err(format!("too few messages: {}", shown()));
        }
        for text in texts(&group["all_of"]) {
            if !all.contains(&text) {
                return Err(format!("`{text}` is missing: {}", shown()));
            }
        }
        let lower = all.to_lowercase();
        for words in group["any_of_ci"].as_array().into_iter().flatten() {
            if !texts(words).iter().any(|word| lower.contains(&word.to_lowercase())) {
                return Err(format!("none of {words} is there: {}", shown()));
            }
        }
        for word in group["none_of_ci"].as_array().into_iter().flatten() {
            let words = if word.is_array() { texts(word) } else { vec![word.as_str().unwrap().to_owned()] };
            if let Some(word) = words.iter().find(|word| lower.contains(&word.to_lowercase())) {
                return Err(format!("`{word}` must not be there: {}", shown()));
            }
        }
        let (first, last) = window(&group["window"]);
        let texts = seen.iter().filter(|request| (first..=last).contains(&request.t));
        let texts = texts.filter(of_printer).filter(|request| request.is_text()).count();
        let most = group["max_messages"].as_u64().map_or(usize::MAX, |most| usize::try_from(most).unwrap());
        if texts > most {
            return Err(format!("{texts} texts, and {most} are allowed: {}", shown()));
        }
    }
    let windows: Vec<(f64, f64)> = groups.iter().map(|group| delivery.window(group)).collect();
    let astray = seen
        .iter()
        .filter(|request| request.is_text())
        .find(|request| !windows.iter().any(|(from, to)| (from - 1e-6..=to + 1e-6).contains(&request.t)));
    match astray {
        Some(request) => Err(format!("nobody expects `{}` at {}", request.text, request.t)),
        None => Ok(()),
    }
}

/// Each picture fulfils one entry, and each entry that is not optional is fulfilled.
fn compare_photos(vector: &Vector, seen: &[&Request], delivery: &Delivery) -> Result<(), String> {
    let entries = vector.expected("photos");
    let photos: Vec<&&Request> = seen.iter().filter(|request| request.picture.is_some()).collect();
    let fits = |photo: &Request, entry: &Value| {
        let (from, to) = delivery.window(entry);
        let name = photo.picture.as_deref().and_then(|jpeg| vector.frame_name(jpeg));
        (from - 1e-6..=to + 1e-6).contains(&photo.t)
            && name.is_some_and(|name| texts(&entry["frames"]).iter().any(|wanted| wanted == name))
    };
    let mut taken: Vec<Option<usize>> = vec![None; entries.len()];
    for (index, photo) in photos.iter().enumerate() {
        let options: Vec<usize> = (0..entries.len()).filter(|entry| fits(photo, &entries[*entry])).collect();
        if !place(index, &options, &mut taken, &|photo, entry| fits(photos[photo], &entries[entry]), 0) {
            return Err(format!("nobody expects a picture at {} (`{}`)", photo.t, photo.text));
        }
    }
    if !delivery.all {
        return Ok(());
    }
    let missing = entries
        .iter()
        .enumerate()
        .find(|(index, entry)| taken[*index].is_none() && entry["optional"].as_bool() != Some(true));
    match missing {
        Some((_, entry)) => Err(format!("no picture for {entry}")),
        None => Ok(()),
    }
}

/// As often as is expected the model is asked in each window, about one of the pictures, and at no other time.
fn compare_checks(vector: &Vector, log: &Log) -> Result<(), String> {
    let mut windows = Vec::new();
    for entry in vector.expected("ai_calls") {
        let (from, to) = window(&entry["window"]);
        let (least, most) = window(&entry["calls"]);
        let names = texts(&entry["frames"]);
        let asked = log.asked.iter().filter(|(t, _)| (from - 1e-6..=to + 1e-6).contains(t));
        let fits = |jpeg: &[u8]| vector.frame_name(jpeg).is_some_and(|name| names.iter().any(|n| n == name));
        let count = asked.clone().count() as f64;
        if !(least..=most).contains(&count) || asked.clone().any(|(_, jpeg)| !fits(jpeg)) {
            return Err(format!("the model was asked {count} times, expected {entry}"));
        }
        windows.push((from, to));
    }
    let end = vector.events.last().map_or(0.0, |event| event.at.as_secs_f64());
    let astray = log
        .asked
        .iter()
        .map(|(t, _)| *t)
        .find(|t| *t <= end && !windows.iter().any(|(from, to)| (from - 1e-6..=to + 1e-6).contains(t)));
    astray.map_or(Ok(()), |t| Err(format!("nobody expects the model to be asked at {t}")))
}

/// Finds a place for a photo, moving others where that helps.
fn place(
    photo: usize,
    options: &[usize],
    taken: &mut Vec<Option<usize>>,
    fits: &dyn Fn(usize, usize) -> bool,
    depth: usize,
) -> bool {
    for entry in options {
        if taken[*entry].is_none() {
            taken[*entry] = Some(photo);
            return true;
        }
    }
    if depth > taken.len() {
        return false;
    }
    for entry in options {
        let Some(other) = taken[*entry] else { continue };
        let elsewhere: Vec<usize> =
            (0..taken.len()).filter(|place| place != entry && fits(other, *place)).collect();
        taken[*entry] = Some(photo);
        if place(other, &elsewhere, taken, fits, depth + 1) {
            return true;
        }
        taken[*entry] = Some(other);
    }
    false
}

/// Whether the connections to the feed follow a rule.
fn follows(rule: &Value, log: &Log) -> Result<(), String> {
    let within = |range: (f64, f64), t: f64| (range.0..=range.1).contains(&t);
    let accepted: Vec<&Attempt> = log.attempts.iter().filter(|attempt| attempt.accepted).collect();
    let between = rule.get("between").map(window);
    let considered =
        log.attempts.iter().filter(|attempt| between.is_none_or(|range| within(range, attempt.t)));
    // A row of refusals ends with the attempt that is taken.
    let end = log.attempts.iter().position(|attempt| attempt.accepted).unwrap_or(log.attempts.len());
    let times: Vec<f64> = match between {
        Some(_) => considered.map(|attempt| attempt.t).collect(),
        None => log.attempts.iter().take(end + 1).map(|attempt| attempt.t).collect(),
    };
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (name, value) in rule.as_object().into_iter().flatten() {
        let fine = match name.as_str() {
            "rule" | "between" | "count" => true,
            "disconnect_window" => log.closed.iter().any(|t| within(window(value), *t)),
            "total_connects" => accepted.len() as u64 == value.as_u64().unwrap(),
            "first_gap" => gaps.first().is_some_and(|gap| within(window(value), *gap)),
            "max_gap" => !gaps.is_empty() && gaps.iter().all(|gap| *gap <= value.as_f64().unwrap()),
            "non_decreasing_within" => {
                let slack = value.as_f64().unwrap();
                gaps.windows(2).all(|pair| pair[1] >= pair[0] * (1.0 - slack))
            }
            "accepted_by" => accepted.first().is_some_and(|first| first.t <= value.as_f64().unwrap()),
            "accepted_connections_between" => {
                let count = accepted.iter().filter(|attempt| within(window(value), attempt.t)).count();
                rule["count"].as_u64() == Some(count as u64)
            }
            name => {
                match name.strip_prefix("attempts_in_first_").and_then(|rest| rest.strip_suffix("s_at_most"))
                {
                    Some(seconds) => {
                        let seconds: f64 = seconds.parse().map_err(|_| format!("`{name}` names no time"))?;
                        let count = log.attempts.iter().filter(|attempt| attempt.t <= seconds).count();
                        count as u64 <= value.as_u64().unwrap()
                    }
                    None => return Err(format!("nobody knows what `{name}` means")),
                }
            }
        };
        if !fine {
            return Err(format!(
                "{name} is {value}; attempts {:?}, closed at {:?}",
                log.attempts, log.closed
            ));
        }
    }
    Ok(())
}
