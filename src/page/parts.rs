//! The parts of the page: each is one element with an id, drawn anew as a whole when something in it changed.

mod bridge;
mod course;
mod doctor;
mod form;
mod head;
mod log;
mod octoapp;
mod problems;
mod prusa_connect;
mod telegram;

use super::markup::Markup;
use super::sight::Sight;

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The id of its element.
    pub id: String,
    /// Its element.
    pub html: String,
}

/// All parts, the head first.
pub fn parts(sight: &Sight) -> Vec<Part> {
    let mut all = vec![head(sight), part("problems", |out| problems::draw(out, &sight.problems))];
    for (number, card) in sight.cards.iter().enumerate() {
        let id = ["card", &number.to_string()].concat();
        all.push(part(&id, |out| bridge::draw(out, &id, card, &sight.key)));
    }
    all.push(part("doctor", |out| doctor::draw(out, &sight.examination, &sight.key)));
    all.push(part("log", |out| log::draw(out, &sight.log)));
    all
}

/// The head of the page: the printer, its job and its camera.
pub(super) fn head(sight: &Sight) -> Part {
    part("head", |out| head::draw(out, sight))
}

fn part(id: &str, draw: impl FnOnce(&mut Markup)) -> Part {
    let mut out = Markup::default();
    draw(&mut out);
    Part { id: id.to_owned(), html: out.done() }
}
