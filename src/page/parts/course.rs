//! What goes on about pairing, the same for each service.

use super::super::markup::Markup;
use super::super::qr;
use super::super::sight::{Course, Invitation};
use super::super::words::ENGLISH;
use super::form::{Form, button};

/// Draws what goes on. `steps` are what the owner does with the invitation.
pub(super) fn draw(out: &mut Markup, course: &Course, steps: &[&str], form: Form<'_>) {
    match course {
        Course::Idle => {}
        Course::Busy(remark) => {
            out.sentence("p", &[("role", "status")], remark.as_deref().unwrap_or(ENGLISH.busy));
            form.button(out, "", "cancel", ENGLISH.cancel);
        }
        Course::Waiting(invitation) => invite(out, invitation, steps, form),
        Course::Asking { question, control, choices } => {
            out.element("p", &[("role", "status")], question);
            form.draw(out, |out| {
                if *control {
                    out.wrap("label", &[("class", "check")], |out| {
                        out.open("input", &[("type", "checkbox"), ("name", "control"), ("value", "yes")]);
                        out.text(ENGLISH.telegram_control);
                    });
                }
                out.wrap("div", &[("class", "row")], |out| {
                    for choice in choices {
                        let what = ["choose ", &choice.value].concat();
                        button(out, "main", &what, &choice.label);
                    }
                    button(out, "", "cancel", ENGLISH.cancel);
                });
            });
        }
        Course::Done(text) => outcome(out, Ok(text)),
        Course::Failed(why) => outcome(out, Err(why)),
    }
}

/// What came of something.
pub(super) fn outcome(out: &mut Markup, outcome: Result<&str, &str>) {
    let (class, text) = match outcome {
        Ok(text) => ("ok", text),
        Err(text) => ("notice", text),
    };
    out.sentence("p", &[("class", class), ("role", "status")], text);
}

/// A link that may be opened or scanned.
pub(super) fn link(out: &mut Markup, url: &str) {
    out.wrap("p", &[], |out| {
        out.element("a", &[("href", url), ("rel", "noreferrer"), ("target", "_blank")], url);
    });
    qr::draw(out, url, ENGLISH.qr);
}

fn invite(out: &mut Markup, invitation: &Invitation, steps: &[&str], form: Form<'_>) {
    out.wrap("ol", &[], |out| steps.iter().for_each(|step| out.element("li", &[], step)));
    if let Some(url) = &invitation.link {
        out.element("p", &[], ENGLISH.open);
        link(out, url);
    }
    if let Some(code) = &invitation.code {
        out.wrap("p", &[], |out| {
            out.text(ENGLISH.code);
            out.text(" ");
            out.element("span", &[("class", "code")], code);
        });
    }
    for extra in &invitation.extras {
        out.element("p", &[], extra.label);
        out.wrap("p", &[], |out| match extra.text.starts_with("http") {
            true => {
                let attributes = [("href", extra.text.as_str()), ("rel", "noreferrer"), ("target", "_blank")];
                out.element("a", &attributes, &extra.text);
            }
            false => out.element("code", &[], &extra.text),
        });
    }
    out.wrap("p", &[], |out| {
        out.text(ENGLISH.left);
        out.text(" ");
        out.element("time", &[("data-until", &invitation.until.as_secs().to_string())], "");
    });
    if !invitation.remarks.is_empty() {
        out.element("h3", &[], ENGLISH.remarks);
        out.wrap("div", &[("role", "status")], |out| {
            out.wrap("ul", &[], |out| {
                invitation.remarks.iter().for_each(|remark| out.sentence("li", &[], remark));
            });
        });
    }
    form.button(out, "", "cancel", ENGLISH.cancel);
}
