//! OctoApp: the phones, and how another one is added.

use super::super::markup::Markup;
use super::super::sight::{Card, Course, OctoApp};
use super::super::words::ENGLISH;
use super::course;
use super::form::Form;

/// Draws what is OctoApp's own on its card.
pub(super) fn draw(out: &mut Markup, octoapp: &OctoApp, card: &Card, form: Form<'_>) {
    out.element("h3", &[], ENGLISH.octoapp_phones);
    let phones = match &octoapp.phones {
        None => {
            out.element("p", &[], ENGLISH.octoapp_looking);
            &[][..]
        }
        Some(Err(why)) => {
            out.sentence("p", &[("class", "notice")], why);
            &[][..]
        }
        Some(Ok(phones)) if phones.is_empty() => {
            out.element("p", &[], ENGLISH.octoapp_none);
            &[][..]
        }
        Some(Ok(phones)) => {
            out.wrap("ul", &[], |out| phones.iter().for_each(|phone| out.element("li", &[], phone)));
            phones
        }
    };
    if let Course::Waiting(invitation) = &card.course
        && invitation.link.is_none()
    {
        out.element("p", &[], ENGLISH.octoapp_no_address);
    }
    course::draw(out, &card.course, &ENGLISH.octoapp_steps, form);
    if matches!(card.course, Course::Idle | Course::Done(_) | Course::Failed(_)) {
        out.wrap("div", &[("class", "row")], |out| {
            form.button(out, if phones.is_empty() { "main" } else { "" }, "pair", ENGLISH.octoapp_pair);
            if !phones.is_empty() {
                form.button(out, "", "test", ENGLISH.test);
            }
        });
        if !phones.is_empty() {
            form.risk(out, "forget", ENGLISH.octoapp_forget);
        }
    }
}
