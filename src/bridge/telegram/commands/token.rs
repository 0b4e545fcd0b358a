//! What the buttons below our messages stand for. In memory only, so that a button of yesterday does nothing today.

use super::files::Listing;
use super::order::{Mark, Order};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How long a question may be answered.
const QUESTION: Duration = Duration::from_secs(60);
/// How long a list of files may be used.
const LIST: Duration = Duration::from_secs(30 * 60);
/// Most of both that are kept; the oldest goes.
const MOST: usize = 16;
/// Letters of a token, none of which is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A question whether to do this, asked when the job was that.
    Question(Order, Mark),
    /// A page of files.
    List(Listing),
}

/// Why a button does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dead {
    /// It was used, is too old, or never was.
    Unknown,
    /// Somebody else was asked, or somewhere else.
    NotYours,
}

#[derive(Debug)]
struct Kept {
    token: String,
    chat: i64,
    user: i64,
    /// On the monotonic clock.
    until: Duration,
    meaning: Meaning,
}

/// The tokens that are good now.
#[derive(Debug, Default)]
pub(super) struct Tokens(VecDeque<Kept>);

impl Tokens {
    /// A new token for somebody in a chat. `now` is of the monotonic clock.
    pub(super) fn keep(&mut self, chat: i64, user: i64, meaning: Meaning, now: Duration) -> String {
        self.0.retain(|kept| now < kept.until);
        while self.0.len() >= MOST {
            self.0.pop_front();
        }
        let until = now + if matches!(meaning, Meaning::Question(..)) { QUESTION } else { LIST };
        let token = random();
        self.0.push_back(Kept { token: token.clone(), chat, user, until, meaning });
        token
    }

    /// What a token stands for, if it is good for this person in this chat. A question is answered by that: its token
    /// is good no more.
    ///
    /// # Errors
    ///
    /// If it is not good.
    pub(super) fn redeem(
        &mut self,
        token: &str,
        chat: i64,
        user: i64,
        now: Duration,
    ) -> Result<Meaning, Dead> {
        let index = self.0.iter().position(|kept| kept.token == token && now < kept.until);
        let index = index.ok_or(Dead::Unknown)?;
        let kept = self.0.get(index).ok_or(Dead::Unknown)?;
        if (kept.chat, kept.user) != (chat, user) {
            return Err(Dead::NotYours);
        }
        let meaning = kept.meaning.clone();
        if matches!(meaning, Meaning::Question(..)) {
            self.0.remove(index);
        }
        Ok(meaning)
    }
}

/// Eight letters by chance.
fn random() -> String {
    let chance = u64::from(crate::backoff::random()) << 32 | u64::from(crate::backoff::random());
    (0..8)
        .filter_map(|place| LETTERS.get((chance >> (5 * place)) as usize & 31))
        .map(|c| *c as char)
        .collect()
}

/// What a button says to us: kind, argument, token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Button {
    /// Yes.
    Do,
    /// No.
    Leave,
    /// The entry of this number in the list.
    Entry(usize),
    /// The list from this page on.
    Page(usize),
    /// The folder above.
    Up,
    /// Ask whether to pause the job of this mark, as the next two stands below a message that nobody asked for: what
    /// it says to us is good for as long as that job is under way.
    Pause,
    /// Ask whether to cancel it.
    Cancel,
    /// Check it for defects no more.
    Quiet,
    /// Ask whether to print the file of this mark once more.
    Again,
}

/// What stands for a job or a file in the data of a button, which has too little room for their names.
pub(super) fn mark(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Button {
    /// The data of the button; at most 64 bytes.
    pub(super) fn data(self, word: &str, token: &str) -> String {
        match self {
            Self::Do => format!("do:{word}:{token}"),
            Self::Leave => format!("no:{word}:{token}"),
            Self::Entry(number) => format!("file:{number}:{token}"),
            Self::Page(number) => format!("page:{number}:{token}"),
            Self::Up => format!("up::{token}"),
            Self::Pause => format!("pause::{token}"),
            Self::Cancel => format!("cancel::{token}"),
            Self::Quiet => format!("quiet::{token}"),
            Self::Again => format!("again::{token}"),
        }
    }

    /// Reads such data.
    pub(super) fn read(data: &str) -> Option<(Self, &str)> {
        let (kind, rest) = data.split_once(':')?;
        let (argument, token) = rest.split_once(':')?;
        let button = match kind {
            "do" => Self::Do,
            "no" => Self::Leave,
            "file" => Self::Entry(argument.parse().ok()?),
            "page" => Self::Page(argument.parse().ok()?),
            "up" => Self::Up,
            "pause" => Self::Pause,
            "cancel" => Self::Cancel,
            "quiet" => Self::Quiet,
            "again" => Self::Again,
            _ => return None,
        };
        Some((button, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn question() -> Meaning {
        Meaning::Question(Order::Cancel, Mark::default())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_question_is_answered_once_in_time_and_by_whom_was_asked() {
        let mut tokens = Tokens::default();
        let token = tokens.keep(-100, 7, question(), seconds(0));
        assert!(token.len() == 8 && token.bytes().all(|byte| LETTERS.contains(&byte)), "{token}");
        assert_eq!(tokens.redeem(&token, -100, 8, seconds(1)), Err(Dead::NotYours));
        assert_eq!(tokens.redeem(&token, 7, 7, seconds(1)), Err(Dead::NotYours));
        assert_eq!(tokens.redeem("other", -100, 7, seconds(1)), Err(Dead::Unknown));
        assert_eq!(tokens.redeem(&token, -100, 7, seconds(59)), Ok(question()));
        assert_eq!(tokens.redeem(&token, -100, 7, seconds(59)), Err(Dead::Unknown), "a second press");
        let late = tokens.keep(-100, 7, question(), seconds(100));
        assert_eq!(tokens.redeem(&late, -100, 7, seconds(160)), Err(Dead::Unknown));
    }

    #[test]
    fn lists_are_used_again_and_all_are_bounded() {
        let mut tokens = Tokens::default();
        let list = Meaning::List(Listing::default());
        let token = tokens.keep(1, 7, list.clone(), seconds(0));
        for _ in 0..3 {
            assert_eq!(tokens.redeem(&token, 1, 7, seconds(900)), Ok(list.clone()));
        }
        let newest: Vec<String> = (0..MOST).map(|_| tokens.keep(1, 7, question(), seconds(901))).collect();
        assert_eq!(tokens.0.len(), MOST);
        assert_eq!(tokens.redeem(&token, 1, 7, seconds(901)), Err(Dead::Unknown), "the oldest went");
        assert!(tokens.redeem(&newest[0], 1, 7, seconds(901)).is_ok());
    }

    #[test]
    fn data_of_buttons_is_short_and_read_again() {
        for (button, word) in [
            (Button::Do, "cancel"),
            (Button::Leave, "estop"),
            (Button::Entry(10), ""),
            (Button::Page(999), ""),
            (Button::Up, ""),
            (Button::Pause, ""),
            (Button::Cancel, ""),
            (Button::Quiet, ""),
            (Button::Again, ""),
        ] {
            let data = button.data(word, "abcd2345");
            assert!(data.len() <= 64);
            assert_eq!(Button::read(&data), Some((button, "abcd2345")), "{data}");
        }
        for data in ["", "do", "do:x", "file:x:abcd2345", "page:-1:t", "c:cancel:7f3a"] {
            assert_eq!(Button::read(data), None, "{data}");
        }
    }

    proptest! {
        #[test]
        fn any_data_is_read(data in "([a-z]{0,5}:){0,3}\\PC{0,20}") {
            let _ = Button::read(&data);
        }
    }
}
