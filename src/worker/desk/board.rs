//! What goes on behind the page, for all threads that have a part in it.

use super::facts::Facts;
use crate::page::{Course, Examination};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Facts are looked up again after this time, while somebody looks.
const FRESH: Duration = Duration::from_secs(15);

/// The board.
#[derive(Debug, Default)]
pub(in crate::worker) struct Board {
    state: Mutex<State>,
    switches: Mutex<()>,
    reload: Notify,
}

#[derive(Debug, Default)]
struct State {
    bridges: BTreeMap<String, Entry>,
    examination: Examination,
    facts: Facts,
    /// When facts were looked up, or are being looked up since.
    looked: Option<Duration>,
    /// Bridges that are at rest while they are paired, once for each pairing: one that was cancelled takes a while to end.
    resting: Vec<String>,
    /// How often the service has read its settings.
    reloads: u64,
    tickets: u64,
}

/// What goes on for one bridge.
#[derive(Debug, Default)]
struct Entry {
    course: Course,
    /// The ticket that may write here; none: nothing goes on.
    ticket: Option<u64>,
    choice: Option<(String, bool)>,
    test: Option<Result<String, String>>,
}

impl Board {
    fn own(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes on for a bridge, and what came of its last test.
    pub(super) fn of(&self, bridge: &str) -> (Course, Option<Result<String, String>>) {
        let state = self.own();
        let entry = state.bridges.get(bridge);
        entry.map(|entry| (entry.course.clone(), entry.test.clone())).unwrap_or_default()
    }

    /// Begins something for a bridge; none where something goes on already.
    pub(super) fn begin(self: &Arc<Self>, bridge: &str) -> Option<Ticket> {
        let mut state = self.own();
        state.tickets += 1;
        let number = state.tickets;
        let entry = state.bridges.entry(bridge.to_owned()).or_default();
        if entry.ticket.is_some() {
            return None;
        }
        *entry = Entry { course: Course::Busy(None), ticket: Some(number), ..Entry::default() };
        Some(Ticket { board: Arc::clone(self), bridge: bridge.to_owned(), number })
    }

    /// Ends what goes on for a bridge: whoever does it sees that at its next step.
    pub(super) fn cancel(&self, bridge: &str) {
        if let Some(entry) = self.own().bridges.get_mut(bridge) {
            *entry = Entry::default();
        }
    }

    /// Makes a choice for a bridge, where there is one to make.
    pub(super) fn choose(&self, bridge: &str, value: &str, control: bool) {
        if let Some(entry) = self.own().bridges.get_mut(bridge)
            && matches!(entry.course, Course::Asking { .. })
        {
            entry.choice = Some((value.to_owned(), control));
            entry.course = Course::Busy(None);
        }
    }

    /// Keeps others from switching bridges off for as long as this is held: each looks whether another one is on.
    pub(super) fn switching(&self) -> MutexGuard<'_, ()> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came of a test; none: it goes on.
    pub(super) fn tested(&self, bridge: &str, outcome: Option<Result<String, String>>) {
        self.own().bridges.entry(bridge.to_owned()).or_default().test = outcome;
    }

    /// The last examination.
    pub(super) fn examination(&self) -> Examination {
        self.own().examination.clone()
    }

    /// Changes what is shown of the examination.
    pub(super) fn examine(&self, change: impl FnOnce(&mut Examination)) {
        change(&mut self.own().examination);
    }

    /// Begins an examination; false where one goes on.
    pub(super) fn begin_examination(&self) -> bool {
        let mut state = self.own();
        let idle = !matches!(state.examination, Examination::Running { .. });
        if idle {
            state.examination = Examination::Running { sections: Vec::new(), at: "the settings" };
        }
        idle
    }

    /// What was looked up last.
    pub(super) fn facts(&self) -> Facts {
        self.own().facts.clone()
    }

    /// Whether facts are to be looked up again; says so once.
    pub(super) fn wants_facts(&self, now: Duration) -> bool {
        let mut state = self.own();
        let wants = state.looked.is_none_or(|at| now.saturating_sub(at) >= FRESH);
        if wants {
            state.looked = Some(now);
        }
        wants
    }

    /// Notes what was looked up.
    pub(super) fn note_facts(&self, facts: Facts) {
        self.own().facts = facts;
    }

    /// What was looked up is old by now.
    pub(super) fn forget_facts(&self) {
        self.own().looked = None;
    }

    /// Has the service read its settings again.
    pub(super) fn ask_to_reload(&self) {
        self.reload.notify_one();
    }

    /// Waits until somebody wants the settings read again.
    pub(in crate::worker) async fn reload_asked(&self) {
        self.reload.notified().await;
    }

    /// The service has read its settings.
    pub(in crate::worker) fn reloaded(&self) {
        let mut state = self.own();
        state.reloads += 1;
        // Facts depend on them.
        state.looked = None;
    }

    /// How often it has.
    pub(super) fn reloads(&self) -> u64 {
        self.own().reloads
    }

    /// Lets a bridge rest, or work again as far as this pairing is concerned, from the next reload on.
    pub(super) fn rest(&self, bridge: &str, rests: bool) {
        let resting = &mut self.own().resting;
        if rests {
            resting.push(bridge.to_owned());
        } else if let Some(at) = resting.iter().position(|resting| resting == bridge) {
            resting.swap_remove(at);
        }
    }

    /// Whether a bridge rests.
    pub(in crate::worker) fn rests(&self, bridge: &str) -> bool {
        self.own().resting.iter().any(|resting| resting == bridge)
    }
}

/// The right to write on the board for one bridge, until somebody cancels it.
#[derive(Debug)]
pub(super) struct Ticket {
    board: Arc<Board>,
    bridge: String,
    number: u64,
}

impl Ticket {
    fn with<T>(&self, write: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut state = self.board.own();
        let entry = state.bridges.get_mut(&self.bridge)?;
        (entry.ticket == Some(self.number)).then(|| write(entry))
    }

    /// Shows what goes on.
    pub(super) fn show(&self, course: Course) {
        self.with(|entry| entry.course = course);
    }

    /// Notes what the owner should know, where something is waited for.
    pub(super) fn remark(&self, text: String) {
        /// Most that are shown.
        const MOST: usize = 5;
        self.with(|entry| match &mut entry.course {
            Course::Waiting(invitation) => {
                if invitation.remarks.len() >= MOST {
                    invitation.remarks.remove(0);
                }
                invitation.remarks.push(text);
            }
            Course::Busy(remark) => *remark = Some(text),
            _ => {}
        });
    }

    /// Whether it was cancelled.
    pub(super) fn is_over(&self) -> bool {
        self.with(|_| ()).is_none()
    }

    /// Goes on only where it was not cancelled; what is said otherwise is shown to nobody.
    pub(super) fn still_counts(&self) -> Result<(), String> {
        if self.is_over() { Err(String::new()) } else { Ok(()) }
    }

    /// The choice that was made, once.
    pub(super) fn chosen(&self) -> Option<(String, bool)> {
        self.with(|entry| entry.choice.take()).flatten()
    }

    /// Whether a choice was made.
    pub(super) fn is_chosen(&self) -> bool {
        self.with(|entry| entry.choice.is_some()).unwrap_or_default()
    }

    /// Ends it, with what is shown from now on.
    pub(super) fn end(&self, course: Course) {
        self.with(|entry| (entry.course, entry.ticket) = (course, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(board: &Board) -> Course {
        board.of("telegram").0
    }

    #[test]
    fn one_thing_at_a_time_and_what_was_cancelled_says_no_more() {
        let board = Arc::new(Board::default());
        let first = board.begin("telegram").unwrap();
        assert_eq!(course(&board), Course::Busy(None));
        assert!(board.begin("telegram").is_none() && board.begin("octoapp").is_some());
        board.cancel("telegram");
        assert!(first.is_over() && course(&board) == Course::Idle);
        let second = board.begin("telegram").unwrap();
        first.show(Course::Failed("late".to_owned()));
        first.end(Course::Failed("late".to_owned()));
        assert_eq!(course(&board), Course::Busy(None));
        second.end(Course::Done("well".to_owned()));
        assert_eq!(course(&board), Course::Done("well".to_owned()));
        assert!(second.is_over() && board.begin("telegram").is_some());
    }

    #[test]
    fn a_choice_counts_only_where_there_is_one() {
        let board = Arc::new(Board::default());
        let ticket = board.begin("telegram").unwrap();
        board.choose("telegram", "0", true);
        assert_eq!(ticket.chosen(), None);
        ticket.show(Course::Asking { question: String::new(), control: true, choices: Vec::new() });
        board.choose("telegram", "1", true);
        assert!(ticket.is_chosen() && course(&board) == Course::Busy(None));
        assert_eq!(ticket.chosen(), Some(("1".to_owned(), true)));
        assert_eq!(ticket.chosen(), None);
    }

    #[test]
    fn one_examination_at_a_time() {
        let board = Board::default();
        assert!(board.begin_examination() && !board.begin_examination());
        board.examine(|examination| {
            *examination = Examination::Done { sections: Vec::new(), at: Duration::ZERO };
        });
        assert!(board.begin_examination());
    }

    #[test]
    fn facts_are_looked_up_once_in_a_while() {
        let board = Board::default();
        let second = Duration::from_secs(1);
        let wants: Vec<bool> = [0, 1, 14, 15, 16].map(|at| board.wants_facts(second * at)).into();
        assert_eq!(wants, [true, false, false, true, false]);
        board.forget_facts();
        assert!(board.wants_facts(second * 17));
        // They were looked up by settings that do not count any more.
        board.reloaded();
        assert!(board.wants_facts(second * 18));
    }
}
