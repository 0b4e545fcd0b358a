//! What comes back from the model, read strictly: a print is called failed only if the model says so in the form that
//! it was told. Guessing at free text would take "no defect" for a defect.

use super::config::Config;
use super::failure::{Class, Failure, shown};
use super::text;
use crate::json_fields::{first, number, pick, text as string};
use serde_json::value::RawValue;
use std::time::Duration;

/// Longest summary, in characters.
const MOST_SUMMARY: usize = 400;

/// What the model says about a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the print failed.
    pub defect: bool,
    /// How sure the model is that it failed, from 0 to 1.
    pub confidence: f64,
    /// What it sees, on one line; may be empty. Foreign text, to be shown and never obeyed.
    pub summary: String,
}

impl Verdict {
    /// Whether people are to be told.
    pub fn alerts(&self, threshold: f64) -> bool {
        self.defect && self.confidence >= threshold
    }
}

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The verdict in it.
    ///
    /// # Errors
    ///
    /// If there is none: why, and what to do about it.
    pub fn read(&self, config: &Config) -> Result<Verdict, Failure> {
        let body = str::from_utf8(self.body).unwrap_or_default();
        let read = if (200..300).contains(&self.status) {
            completion(config, self.status, body)
        } else {
            let mut fields = [None];
            let _ = pick(body, &["error"], &mut fields);
            let (_, said) = fields[0].map(error).unwrap_or_default();
            Err(Failure::refused(config, self.status, said.as_deref()))
        };
        read.map_err(|failure| {
            // A date in its place would need a clock that may be wrong.
            let seconds = self.retry_after.and_then(|text| text.trim().parse().ok());
            Failure { retry_after: seconds.map(Duration::from_secs), ..failure }
        })
    }
}

/// Reads a completion. A failure of the model comes with status 200, too: the status is sent before the model is done.
fn completion(config: &Config, status: u16, body: &str) -> Result<Verdict, Failure> {
    let foreign = || {
        let text = "the answer is not that of a chat completions API; check OPENROUTER_BASE_URL, and that no login page is in between";
        Failure { code: Some(status), ..Failure::new(Class::Transient, text.to_owned()) }
    };
    let mut fields = [None; 2];
    pick(body, &["error", "choices"], &mut fields).map_err(|_| foreign())?;
    let [fault, choices] = fields;
    no_error(config, fault)?;
    let choice = choices.ok_or_else(foreign)?;
    let mut fields = [None; 3];
    if let Some(choice) = first(choice) {
        let _ = pick(choice.get(), &["error", "message", "finish_reason"], &mut fields);
    }
    let [fault, message, reason] = fields;
    no_error(config, fault)?;
    let reason = reason.and_then(string).unwrap_or_default();
    if reason == "error" {
        return Err(Failure::unknown(config, Some("the model broke off")));
    }
    let cut_off = reason == "length";
    let mut fields = [None];
    if let Some(message) = message {
        let _ = pick(message.get(), &["content"], &mut fields);
    }
    let content = fields[0].filter(|content| content.get() != "null");
    let words = content.map(|content| string(content).unwrap_or_else(|| content.get().to_owned()));
    let words = words.unwrap_or_default();
    if words.trim().is_empty() {
        return Err(Failure::new(Class::Transient, with_hint("the model gave an empty answer", cut_off)));
    }
    verdict(&words).ok_or_else(|| {
        let said = shown(config, &words);
        let text = with_hint("the model's answer is not in the form that it was told", cut_off);
        Failure::new(Class::Unreadable, format!("{text} (it says \"{said}\")"))
    })
}

/// What a model that thinks aloud needs.
fn with_hint(text: &str, cut_off: bool) -> String {
    match cut_off {
        true => format!("{text}: it used up its tokens; raise AI_MAX_TOKENS"),
        false => format!("{text}; if that stays, choose another AI_MODEL"),
    }
}

fn no_error(config: &Config, found: Option<&RawValue>) -> Result<(), Failure> {
    let Some(found) = found.filter(|found| found.get() != "null") else { return Ok(()) };
    let (code, said) = error(found);
    Err(match code {
        Some(code) => Failure::refused(config, code, said.as_deref()),
        None => Failure::unknown(config, said.as_deref()),
    })
}

/// Code and words of an error. Some servers give words alone.
fn error(found: &RawValue) -> (Option<u16>, Option<String>) {
    let mut fields = [None; 2];
    if pick(found.get(), &["code", "message"], &mut fields).is_err() {
        return (None, string(found));
    }
    let [code, message] = fields;
    let code = code.and_then(|code| number(code, true)).filter(|code| (400.0..600.0).contains(code));
    // The range was checked, and a fraction is no code of anything.
    (code.map(|code| code as u16), message.and_then(string))
}

/// Reads the model's words: one JSON object, perhaps with chatter or a code fence around it.
fn verdict(words: &str) -> Option<Verdict> {
    let object = words.get(words.find('{')?..=words.rfind('}')?)?;
    let mut fields = [None; 3];
    pick(object, &["has_defect", "confidence", "summary"], &mut fields).ok()?;
    let [defect, confidence, summary] = fields;
    let summary = summary.and_then(string).unwrap_or_default();
    Some(Verdict {
        defect: truth(defect?)?,
        // 92 may mean 0.92, and may not.
        confidence: number(confidence?, true).filter(|is| (0.0..=1.0).contains(is))?,
        summary: text::one_line(&summary, MOST_SUMMARY),
    })
}

fn truth(value: &RawValue) -> Option<bool> {
    let word = string(value).unwrap_or_else(|| value.get().to_owned());
    let word = word.trim();
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    (is("true") || is("false")).then(|| is("true"))
}

#[cfg(test)]
pub(super) mod tests;
