//! The examination.

use super::super::markup::Markup;
use super::super::sight::Examination;
use super::super::words::{ENGLISH, on_the_page};
use super::form::Form;
use crate::calendar;
use crate::doctor::{Level, Section};

/// Draws the last examination, and the button for the next.
pub(super) fn draw(out: &mut Markup, examination: &Examination, key: &str) {
    out.wrap("section", &[("id", "doctor"), ("class", "wide"), ("aria-labelledby", "doctor-title")], |out| {
        out.element("h2", &[("id", "doctor-title")], ENGLISH.doctor);
        out.element("p", &[("class", "soft")], ENGLISH.doctor_about);
        match examination {
            Examination::None => {}
            Examination::Running { sections, at } => {
                list(out, sections);
                let line = [ENGLISH.doctor_running, " ", at, "…"].concat();
                out.element("p", &[("role", "status")], &line);
                return;
            }
            Examination::Done { sections, at } => {
                let line = [ENGLISH.doctor_at, " ", &calendar::utc(*at), "."].concat();
                out.element("p", &[("role", "status")], &line);
                list(out, sections);
            }
        }
        Form { key, bridge: "" }.button(out, "main", "doctor", ENGLISH.doctor_start);
    });
}

fn list(out: &mut Markup, sections: &[Section]) {
    let [ok, warn, fail] = ENGLISH.levels;
    for section in sections {
        out.element("h3", &[], section.name);
        out.wrap("ul", &[], |out| {
            for finding in &section.findings {
                let (class, word) = match finding.level {
                    Level::Ok => ("state ok", ok),
                    Level::Warn => ("state warn", warn),
                    Level::Fail => ("state fail", fail),
                };
                out.wrap("li", &[], |out| {
                    out.element("span", &[("class", class)], word);
                    out.text(" ");
                    out.text(&on_the_page(&finding.text));
                    if let Some(remedy) = &finding.remedy {
                        out.open("br", &[]);
                        out.text(&[ENGLISH.remedy, " ", &on_the_page(remedy)].concat());
                    }
                });
            }
        });
    }
}
