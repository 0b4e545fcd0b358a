//! What comes of a button that was pressed.

use super::super::super::text;
use super::super::access::Right;
use super::super::errand::{Deed, Errand, Reply, Task};
use super::super::order::{self, Mark, Order};
use super::super::token::{self, Button, Dead, Meaning};
use super::super::update::{Place, Press, Shown};
use super::super::wording;
use super::{Clerk, errand};
use crate::clock::Moment;

impl Clerk {
    pub(super) fn press(&mut self, press: &Press, now: Moment) -> Vec<Deed> {
        let answer = |text: &str| Deed::Answer { press: press.id.clone(), text: text.to_owned() };
        let (Some(shown), Some(user)) = (press.shown, press.user) else { return vec![answer("")] };
        let chat = shown.place.chat;
        if self.access.right(chat, Some(user)) != Right::Control {
            return vec![answer(wording::MAY_NOT)];
        }
        let Some((button, token)) = press.data.as_deref().and_then(Button::read) else {
            return vec![answer(wording::TOO_OLD)];
        };
        let standing = matches!(button, Button::Pause | Button::Cancel | Button::Quiet | Button::Again);
        if standing {
            let (text, deed) = self.standing(button, token, shown.place, user, now);
            return std::iter::once(answer(&text)).chain(deed).collect();
        }
        let meaning = match self.tokens.lock().redeem(token, chat, user, now.monotonic) {
            Ok(meaning) => meaning,
            Err(Dead::NotYours) => return vec![answer(wording::NOT_YOURS)],
            Err(Dead::Unknown) => return vec![answer(wording::TOO_OLD)],
        };
        let (text, deed) = match (meaning, button) {
            (Meaning::Question(order, mark), Button::Do) => self.confirmed(order, &mark, shown, press),
            (Meaning::Question(..), _) => (String::new(), Some(say_over(shown, wording::LEFT))),
            (Meaning::List(listing), button) => {
                let run =
                    |task, over| Some(Deed::Run(Errand { over, ..errand(task, shown.place, Some(user)) }));
                let list =
                    |folder: &str, page| run(Task::List { folder: folder.to_owned(), page }, Some(shown));
                let deed = match button {
                    Button::Entry(number) => match listing.entries.get(number) {
                        Some(entry) if entry.folder => list(&entry.path, 0),
                        Some(entry) => run(Task::Offer(entry.path.clone()), None),
                        None => None,
                    },
                    Button::Page(page) => list(&listing.folder, page),
                    Button::Up => listing.above().and_then(|above| list(above, 0)),
                    _ => None,
                };
                (String::new(), deed)
            }
        };
        std::iter::once(answer(&text)).chain(deed).collect()
    }

    /// Somebody said yes; the printer may have gone on meanwhile.
    fn confirmed(&self, order: Order, mark: &Mark, shown: Shown, press: &Press) -> (String, Option<Deed>) {
        match order::still_fits(&order, mark, self.live.sight().as_ref()) {
            Ok(()) => {
                let by = Some(text::name(&press.name)).filter(|_| !press.name.is_empty());
                let errand = errand(Task::Obey(order), shown.place, press.user);
                let errand = Errand { by, over: Some(shown), ..errand };
                (wording::ONE_MOMENT.to_owned(), Some(Deed::Run(errand)))
            }
            Err(why) => (why.clone(), Some(say_over(shown, &why))),
        }
    }

    /// A button below a message that nobody asked for. It only asks, so that it need not be used once.
    fn standing(
        &self,
        button: Button,
        about: &str,
        place: Place,
        user: i64,
        now: Moment,
    ) -> (String, Option<Deed>) {
        let sight = self.live.sight();
        let print = sight.as_ref().and_then(|sight| sight.snapshot.print.as_ref());
        let job = sight.as_ref().and_then(|sight| sight.job.as_deref());
        let name = match button {
            Button::Again => print.and_then(|print| print.file.as_deref()),
            _ => job,
        };
        let Some(name) = name.filter(|name| token::mark(name) == about) else {
            let why = if button == Button::Again { wording::NOT_THE_LAST } else { wording::OTHER_JOB };
            return (why.to_owned(), None);
        };
        let ask = |order| (String::new(), self.question(order, place, Some(user), now).map(Deed::Say));
        match button {
            Button::Pause => ask(Order::Pause),
            Button::Cancel => ask(Order::Cancel),
            Button::Again => {
                let task = Task::Offer(name.to_owned());
                (String::new(), Some(Deed::Run(errand(task, place, Some(user)))))
            }
            _ => {
                self.checks.iter().for_each(|checks| (checks.quiet)(name));
                (wording::NO_MORE_CHECKS.to_owned(), None)
            }
        }
    }
}

fn say_over(shown: Shown, text: &str) -> Deed {
    Deed::Say(Reply::new(shown.place, text).over(Some(shown)))
}
