//! Prusa Connect: who the printer is there, and its registration.

use super::super::markup::Markup;
use super::super::sight::{Card, Course, PrusaConnect, Registration};
use super::super::words::ENGLISH;
use super::course;
use super::form::{Form, button};
use crate::bridge::BridgeState;

/// Draws what is Prusa Connect's own on its card.
pub(super) fn draw(out: &mut Markup, connect: &PrusaConnect, card: &Card, form: Form<'_>) {
    let waits = matches!(card.course, Course::Waiting(_));
    let (class, text) = match &connect.registration {
        Registration::No if waits => ("waiting", ENGLISH.prusa_waiting),
        Registration::No => ("", ENGLISH.prusa_no),
        Registration::Yes { .. } => ("ok", ENGLISH.prusa_yes),
        // It is not Connect that refuses it: the settings say that the printer is another one.
        Registration::Refused { .. } if card.line.state == BridgeState::NeedsPairing => {
            ("notice", card.line.text.as_str())
        }
        Registration::Refused { .. } => ("notice", ENGLISH.prusa_refused),
    };
    out.sentence("p", &[("class", class)], text);
    out.wrap("dl", &[], |out| {
        let mut row = |name, value: &str| {
            out.element("dt", &[], name);
            out.element("dd", &[], value);
        };
        if let Some(serial) = &connect.serial {
            row(ENGLISH.prusa_serial, serial);
        }
        row(ENGLISH.prusa_server, &connect.server);
        if let Registration::Yes { hint } | Registration::Refused { hint } = &connect.registration {
            row(ENGLISH.prusa_token, hint);
        }
    });
    // That a token was taken is worth nothing when Connect does not take it.
    let refused = matches!(connect.registration, Registration::Refused { .. });
    let course = if refused && matches!(card.course, Course::Done(_)) { &Course::Idle } else { &card.course };
    course::draw(out, course, &ENGLISH.prusa_steps, form);
    let rests = matches!(card.course, Course::Idle | Course::Done(_) | Course::Failed(_));
    match connect.registration {
        Registration::No => {
            if rests {
                form.button(out, "main", "pair", ENGLISH.prusa_pair);
            }
            // It may be the wrong file, so what was unfolded for it stays while it is read.
            if rests || matches!(card.course, Course::Busy(None)) {
                import(out, form);
            }
        }
        Registration::Yes { .. } | Registration::Refused { .. } if rests => {
            out.wrap("div", &[("class", "row")], |out| form.button(out, "", "test", ENGLISH.test));
            form.risk(out, "forget", ENGLISH.prusa_forget);
        }
        Registration::Yes { .. } | Registration::Refused { .. } => {}
    }
}

/// A file that Connect gave.
fn import(out: &mut Markup, form: Form<'_>) {
    let [fold, file, text, label] = ENGLISH.prusa_import;
    form.fold(out, "import", fold, |out| {
        form.draw(out, |out| {
            out.element("label", &[("for", "ini-file")], file);
            out.open(
                "input",
                &[("id", "ini-file"), ("type", "file"), ("accept", ".ini"), ("data-into", "ini")],
            );
            out.element("label", &[("for", "ini")], text);
            let attributes =
                [("id", "ini"), ("name", "ini"), ("rows", "6"), ("spellcheck", "false"), ("required", "")];
            out.element("textarea", &attributes, "");
            button(out, "main", "import", label);
        });
    });
}
