//! What must survive a restart of the program.

use super::ledger::{End, Past};
use super::registration::Code;
use super::state::State;
use super::token::Token;
use serde_json::{Value, json};
use std::time::Duration;

/// What must survive a restart. It holds the token, so it has no `Debug`, and the file that keeps its text is for the
/// program's user alone.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Kept {
    /// What Connect knows the printer by.
    pub(crate) token: Option<Token>,
    /// The code that a person is to enter.
    pub(crate) code: Option<Code>,
    /// How the last commands ended, the newest last.
    pub(crate) past: Vec<Past>,
    /// The command that runs.
    pub(crate) running: Option<u32>,
    /// The state that Connect was told last.
    pub(crate) state: State,
}

impl Kept {
    /// As text, with the token in it.
    pub(crate) fn to_text(&self) -> String {
        let mut fields = json!({});
        let mut put = |key: &str, value: Value| {
            if let Some(fields) = fields.as_object_mut() {
                fields.insert(key.to_owned(), value);
            }
        };
        if let Some(token) = &self.token {
            put("token", token.reveal().into());
        }
        if let Some(code) = &self.code {
            put("code", json!([code.text, code.asked.as_millis() as u64, code.until.as_secs()]));
        }
        let past =
            self.past.iter().map(|past| json!([past.id, past.end.kind().word(), &*past.reason, past.untold]));
        put("past", past.collect());
        if let Some(id) = self.running {
            put("running", id.into());
        }
        put("state", self.state.word().into());
        fields.to_string()
    }

    /// From that text. What cannot be read of it is left out; none if it is no such text at all.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fields: Value = serde_json::from_str(text).ok()?;
        fields.as_object()?;
        let id = |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let past = |past: &Value| {
            let word = past.get(1)?.as_str()?;
            let end =
                [End::Finished, End::Rejected, End::Failed].into_iter().find(|end| end.kind().word() == word);
            let reason = past.get(2)?.as_str()?.into();
            let untold = past.get(3).and_then(Value::as_bool).unwrap_or_default();
            Some(Past { id: id(past.get(0))?, end: end?, reason, untold })
        };
        let code = |code: &Value| {
            let asked = Duration::from_millis(code.get(1)?.as_u64()?);
            let until = Duration::from_secs(code.get(2)?.as_u64()?);
            Some(Code { text: code.get(0)?.as_str()?.to_owned(), asked, until })
        };
        Some(Self {
            token: fields.get("token").and_then(Value::as_str).and_then(Token::new),
            code: fields.get("code").and_then(code),
            past: fields
                .get("past")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(past)
                .collect(),
            running: id(fields.get("running")),
            state: fields.get("state").and_then(Value::as_str).and_then(State::from_word).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_kept_comes_back() {
        let past = |id, end, reason: &str| Past { id, end, reason: reason.into(), untold: id > 1 };
        let kept = Kept {
            token: Token::new("Ta3kPq9LmZx81BvCwYt5"),
            code: Some(Code {
                text: "K7Q2".to_owned(),
                asked: Duration::from_millis(1_700_000_000_370),
                until: Duration::from_secs(1_700_086_400),
            }),
            past: vec![
                past(1, End::Finished, ""),
                past(2, End::Rejected, "a \"b\""),
                past(3, End::Failed, "ř"),
            ],
            running: Some(4),
            state: State::Attention,
        };
        for kept in [kept, Kept::default()] {
            assert!(Kept::from_text(&kept.to_text()).is_some_and(|read| read == kept));
        }
        assert!(Kept::from_text("").is_none() && Kept::from_text("[]").is_none());
        assert!(
            Kept::from_text(r#"{"token": 1, "past": [[]], "running": -1}"#)
                .is_some_and(|read| read == Kept::default())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\{(\"token\":|\"code\":|\"past\":|\"running\":|null|\\[|\\]|\"a\"|,|1){0,12}\\}?") {
            Kept::from_text(&text);
        }
    }
}
