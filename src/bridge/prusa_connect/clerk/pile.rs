//! The errands that wait for the clerk, in the order in which they are done.

use crate::bridge::prusa_connect::connect::order::Outcome;
use crate::bridge::prusa_connect::outside::{Description, Errand, FileNews, Purpose};
use crate::printer::FileChange;
use serde_json::json;
use std::collections::VecDeque;

/// Most errands that wait. Commands come one at a time; beyond this changes are told as "look again".
const MOST: usize = 64;

/// The errands.
#[derive(Debug, Default)]
pub(super) struct Pile(VecDeque<Errand>);

impl Pile {
    /// Puts one where it belongs: behind those that are as urgent.
    pub(super) fn put(&mut self, errand: Errand) {
        if self.0.len() >= MOST {
            // Many changes at once are told as one, which says all of them.
            self.0.retain(|errand| !matches!(errand, Errand::Change(_)));
            self.0.push_back(Errand::Change(FileChange::Everything));
        }
        let rank = rank(&errand);
        let same =
            |waiting: &Errand| rank != CHANGE && self::rank(waiting) == rank && command(waiting).is_none();
        if command(&errand).is_none() {
            // One of these says all that another would.
            self.0.retain(|waiting| !same(waiting));
        }
        let place = self.0.iter().position(|waiting| self::rank(waiting) > rank).unwrap_or(self.0.len());
        self.0.insert(place, errand);
    }

    /// Takes the first.
    pub(super) fn take(&mut self) -> Option<Errand> {
        self.0.pop_front()
    }

    /// Forgets what that command asked for.
    pub(super) fn forget(&mut self, id: u32) {
        self.0.retain(|errand| command(errand) != Some(id));
    }

    /// What is told where nobody can do what somebody waits for. Changes wait on.
    pub(super) fn give_up(&mut self, why: &str) -> Vec<FileNews> {
        let mut news = Vec::new();
        for errand in std::mem::take(&mut self.0) {
            match (command(&errand), errand) {
                (Some(id), _) => news.push(FileNews::Done(id, Outcome::Failed(why.into()))),
                (None, Errand::Describe(purpose)) => {
                    // Who the printer is is known all the same.
                    let description = Description { network: json!({}), ..Description::default() };
                    news.push(FileNews::Described(purpose, description));
                }
                (None, change @ Errand::Change(_)) => self.0.push_back(change),
                (None, _) => {}
            }
        }
        news
    }
}

const CHANGE: u8 = 3;

/// Commands first: somebody waits for them. Then who the printer is, and last what changed.
fn rank(errand: &Errand) -> u8 {
    match errand {
        Errand::Order { .. } | Errand::Describe(Purpose::Command(_)) => 0,
        Errand::Describe(Purpose::Greeting { .. }) => 1,
        Errand::Nozzles => 2,
        Errand::Change(_) => CHANGE,
    }
}

/// The command that an errand is for.
fn command(errand: &Errand) -> Option<u32> {
    match errand {
        Errand::Order { order, .. } => Some(order.id),
        Errand::Describe(Purpose::Command(id)) => Some(*id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::order::Order;
    use crate::bridge::prusa_connect::orders::FileOrder;

    fn order(id: u32) -> Errand {
        Errand::Order { order: Order { id, ..Order::default() }, what: FileOrder::Info, in_print: None }
    }

    fn change(path: &str) -> Errand {
        Errand::Change(FileChange::Deleted { path: path.to_owned() })
    }

    fn greeting(first: bool) -> Errand {
        Errand::Describe(Purpose::Greeting { first })
    }

    fn short(pile: &mut Pile) -> Vec<String> {
        std::iter::from_fn(|| pile.take())
            .map(|errand| match (command(&errand), errand) {
                (Some(id), _) => id.to_string(),
                (None, Errand::Change(FileChange::Deleted { path })) => path,
                (None, Errand::Change(_)) => "all".to_owned(),
                (None, Errand::Nozzles) => "nozzles".to_owned(),
                (None, errand) => format!("{errand:?}"),
            })
            .collect()
    }

    #[test]
    fn commands_go_before_introductions_and_those_before_changes() {
        let mut pile = Pile::default();
        for errand in [
            change("a"),
            Errand::Nozzles,
            change("b"),
            greeting(true),
            order(1),
            Errand::Nozzles,
            change("a"),
            Errand::Describe(Purpose::Command(2)),
            greeting(false),
        ] {
            pile.put(errand);
        }
        let greets = "Describe(Greeting { first: false })";
        assert_eq!(short(&mut pile), ["1", "2", greets, "nozzles", "a", "b", "a"]);
    }

    #[test]
    fn a_command_that_is_over_is_not_begun() {
        let mut pile = Pile::default();
        [order(1), Errand::Describe(Purpose::Command(2)), change("a")]
            .into_iter()
            .for_each(|one| pile.put(one));
        pile.forget(2);
        pile.forget(7);
        assert_eq!(short(&mut pile), ["1", "a"]);
        pile.put(order(1));
        pile.forget(1);
        assert!(pile.take().is_none());
    }

    #[test]
    fn many_changes_are_told_as_one() {
        let mut pile = Pile::default();
        pile.put(order(1));
        for number in 0..10_000 {
            pile.put(change(&number.to_string()));
            assert!(pile.0.len() <= MOST + 1);
        }
        let told = short(&mut pile);
        assert_eq!((&*told[0], &*told[1]), ("1", "all"));
        assert_eq!(told.last().unwrap(), "9999");
    }

    #[test]
    fn what_nobody_can_do_has_failed_and_changes_wait() {
        let mut pile = Pile::default();
        for errand in
            [order(1), Errand::Describe(Purpose::Command(2)), greeting(true), change("a"), Errand::Nozzles]
        {
            pile.put(errand);
        }
        let news = pile.give_up("no thread");
        let failed = Outcome::Failed("no thread".into());
        assert!(matches!(&news[0], FileNews::Done(1, why) if *why == failed), "{news:?}");
        assert!(matches!(&news[1], FileNews::Done(2, why) if *why == failed), "{news:?}");
        let greets =
            |news: &FileNews| matches!(news, FileNews::Described(_, told) if told.network == json!({}));
        assert!(news.len() == 3 && greets(&news[2]), "{news:?}");
        assert_eq!(short(&mut pile), ["a"]);
    }
}
