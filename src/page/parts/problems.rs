//! What is wrong with settings and folders.

use super::super::markup::Markup;
use super::super::words::{ENGLISH, on_the_page};
use crate::status::ProblemLine;

/// Draws the list; an element that is not shown, where nothing is wrong.
pub(super) fn draw(out: &mut Markup, problems: &[ProblemLine]) {
    let attributes: &[_] =
        &[("id", "problems"), ("class", "wide"), ("aria-labelledby", "problems-title"), ("hidden", "")];
    let shown = if problems.is_empty() { 4 } else { 3 };
    out.wrap("section", attributes.get(..shown).unwrap_or_default(), |out| {
        out.element("h2", &[("id", "problems-title")], ENGLISH.problems);
        for problem in problems {
            out.element("p", &[("class", "fail")], &problem.what);
            out.element("p", &[], &[ENGLISH.remedy, " ", &on_the_page(&problem.remedy)].concat());
        }
    });
}
