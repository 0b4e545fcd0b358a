//! Why a check brought no verdict: what kind of failure it is, when to ask again, and the words for people.

use super::config::Config;
use super::text;
use std::time::Duration;

/// Most repeats that follow a request at once.
const QUICK_REPEATS: u32 = 2;
/// Shortest pause before the first of them; each one waits twice as long as the one before, at most double that.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest time that a service may ask for before a quick repeat.
const MOST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Most of a service's own words that is shown, in characters.
const MOST_SAID: usize = 200;

/// Kinds of failures, by what to do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may pass by itself: asked again soon.
    Transient,
    /// Nothing changes it for now: asked again at the regular interval.
    Permanent,
    /// The same, and the checks are set up wrong.
    BadKey,
    /// The model answered, but not in the form that it was told: asked again at the regular interval.
    Unreadable,
    /// The program stops.
    Interrupted,
}

/// A check without a verdict. It says nothing about the print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub class: Class,
    /// The HTTP status, or the code of an error inside an answer of status 200; none where there was neither.
    pub code: Option<u16>,
    /// How long the service asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the service had the whole request, and may charge for it.
    pub sent: bool,
    /// What happened and what to do about it, in one line without secrets.
    pub text: String,
}

impl Failure {
    /// A check that could not even be started.
    pub fn not_started(reason: &dyn std::fmt::Display) -> Self {
        let text = format!("the check was not started: {reason}");
        Self { sent: false, ..Self::new(Class::Transient, text) }
    }

    pub(crate) fn new(class: Class, text: String) -> Self {
        Self { class, code: None, retry_after: None, sent: true, text }
    }

    pub(super) fn interrupted() -> Self {
        Self::new(Class::Interrupted, "the check was interrupted".to_owned())
    }

    /// The service could not be reached, or its answer broke off; `sent` says whether it had the request by then.
    /// `reason` is in words for people.
    pub(super) fn network(config: &Config, reason: &str, sent: bool) -> Self {
        let text = format!("cannot reach {}: {reason}", config.base_url);
        Self { sent, ..Self::new(Class::Transient, config.without_key(&text)) }
    }

    /// The service refused with `code`. `said` are its own words.
    pub(super) fn refused(config: &Config, code: u16, said: Option<&str>) -> Self {
        let class = class(code);
        let text = match said.map(|said| shown(config, said)).filter(|said| !said.is_empty()) {
            Some(said) => format!("{} (the service says {code}: \"{said}\")", remedy(config, code)),
            None => format!("{} (the service says {code})", remedy(config, code)),
        };
        Self { code: Some(code), ..Self::new(class, text) }
    }

    /// The service reports an error of which only its words are known.
    pub(super) fn unknown(config: &Config, said: Option<&str>) -> Self {
        let text = match said.map(|said| shown(config, said)).filter(|said| !said.is_empty()) {
            Some(said) => format!("the service has trouble; trying again later (it says \"{said}\")"),
            None => "the service has trouble, and does not say which; trying again later".to_owned(),
        };
        Self::new(Class::Transient, text)
    }

    /// Whether the same request without a schema may be taken: services refuse schemas in many words.
    pub(super) fn may_be_the_schema(&self) -> bool {
        matches!(self.code, Some(400 | 404))
    }

    /// How long to wait before the next quick repeat, when `repeats` were made; none if there is to be none. `random`
    /// is taken as a fraction: 0 gives the shortest pause.
    pub(super) fn repeat_after(&self, repeats: u32, random: u32) -> Option<Duration> {
        if self.class != Class::Transient || repeats >= QUICK_REPEATS {
            return None;
        }
        let fraction = f64::from(random) / f64::from(u32::MAX);
        let pause = FIRST_PAUSE.saturating_mul(1 << repeats).mul_f64(1.0 + fraction);
        match self.retry_after {
            // To come before the time is what the service asks not to do.
            Some(asked) if asked > MOST_RETRY_AFTER => None,
            Some(asked) if !asked.is_zero() => Some(asked),
            _ => Some(pause),
        }
    }
}

fn class(code: u16) -> Class {
    match code {
        401 => Class::BadKey,
        408 | 409 | 429 | 500.. => Class::Transient,
        _ => Class::Permanent,
    }
}

fn remedy(config: &Config, code: u16) -> String {
    let fixed = match code {
        300..=399 => "the address leads elsewhere; check OPENROUTER_BASE_URL",
        401 => "the key is refused; check OPENROUTER_API_KEY",
        402 => "no credits are left; buy some, or raise the limit of the key",
        403 => {
            "refused, because of the picture or the limits of the key; look at the key's page at the service"
        }
        404 => {
            let model = text::one_line(&config.model, 80);
            return format!(
                "the model {model} is unknown or takes no pictures; choose another AI_MODEL, or check OPENROUTER_BASE_URL"
            );
        }
        413 => "the picture is too large for the service; lower the camera's resolution",
        429 => "too many requests; trying again later",
        408 | 409 | 500.. => "the service has trouble; trying again later",
        _ => "the request is refused; check AI_MODEL, and that it takes pictures",
    };
    fixed.to_owned()
}

/// A service's own words, for a line of ours.
pub(super) fn shown(config: &Config, said: &str) -> String {
    // The key is taken out before anything is cut, or half of it would stay.
    text::one_line(&config.without_key(said), MOST_SAID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defects::verdict::tests::config;

    const SHORTEST: u32 = 0;
    const LONGEST: u32 = u32::MAX;

    #[test]
    fn codes_have_classes() {
        let table = [
            (Class::Transient, &[408, 409, 429, 500, 502, 503, 504, 524, 599][..]),
            (Class::Permanent, &[301, 400, 402, 403, 404, 413, 405, 422]),
            (Class::BadKey, &[401]),
        ];
        for (expected, codes) in table {
            for code in codes {
                let failure = Failure::refused(&config(), *code, Some("a\nb"));
                assert_eq!((failure.class, failure.code), (expected, Some(*code)));
                let end = format!(" (the service says {code}: \"a b\")");
                assert!(failure.text.ends_with(&end) && failure.text.len() < 200, "{}", failure.text);
            }
        }
        let text = Failure::refused(&config(), 404, None).text;
        assert!(text.contains("some/model") && text.contains("AI_MODEL"), "{text}");
    }

    #[test]
    fn quick_repeats_are_two_and_wait_as_asked() {
        let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
        let after = |asked: Option<u64>| Failure {
            retry_after: asked.map(Duration::from_secs),
            ..Failure::refused(&config(), 503, None)
        };
        // What the service asks for, repeats so far, chance, the pause.
        let table = [
            (None, 0, SHORTEST, seconds(1.0)),
            (None, 0, LONGEST, seconds(2.0)),
            (None, 1, SHORTEST, seconds(2.0)),
            (None, 1, LONGEST, seconds(4.0)),
            (None, 2, SHORTEST, None),
            (Some(7), 0, LONGEST, seconds(7.0)),
            (Some(30), 1, LONGEST, seconds(30.0)),
            (Some(31), 0, LONGEST, None),
            (Some(0), 0, SHORTEST, seconds(1.0)),
            (Some(7), 2, LONGEST, None),
        ];
        for (asked, repeats, random, expected) in table {
            assert_eq!(after(asked).repeat_after(repeats, random), expected, "{asked:?} {repeats}");
        }
        for code in [400, 401, 402, 403, 404, 413] {
            assert_eq!(Failure::refused(&config(), code, None).repeat_after(0, SHORTEST), None, "{code}");
        }
        assert_eq!(Failure::interrupted().repeat_after(0, SHORTEST), None);
        assert!(Failure::network(&config(), "no answer", true).repeat_after(0, SHORTEST).is_some());
    }

    #[test]
    fn the_key_is_never_shown() {
        let key = config().key.expose().to_owned();
        let far = format!("{}{key}", "x".repeat(MOST_SAID - 9));
        for said in [key.as_str(), &format!("bad key {key}!"), &far] {
            for failure in [
                Failure::refused(&config(), 401, Some(said)),
                Failure::unknown(&config(), Some(said)),
                Failure::network(&config(), said, true),
            ] {
                assert!(!failure.text.contains(&key[..5]), "{}", failure.text);
            }
        }
    }
}
