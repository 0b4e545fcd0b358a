//! What happened: the last lines of the log.

use super::super::markup::Markup;
use super::super::words::ENGLISH;
use crate::calendar;
use crate::log_file::Line;
use log::Level;

/// Draws the lines, the newest first.
pub(super) fn draw(out: &mut Markup, lines: &[Line]) {
    out.wrap("section", &[("id", "log"), ("class", "wide"), ("aria-labelledby", "log-title")], |out| {
        out.element("h2", &[("id", "log-title")], ENGLISH.log);
        if lines.is_empty() {
            out.element("p", &[], ENGLISH.log_empty);
            return;
        }
        // It can be scrolled, so the keyboard must reach it.
        let list = [("class", "log"), ("tabindex", "0"), ("role", "list"), ("aria-labelledby", "log-title")];
        out.wrap("ul", &list, |out| {
            for line in lines {
                let class = match line.level {
                    Level::Error => "fail",
                    Level::Warn => "warn",
                    _ => "",
                };
                out.wrap("li", &[("class", class)], |out| {
                    let at = calendar::rfc3339(line.at);
                    out.element("time", &[("datetime", &at)], &calendar::utc(line.at));
                    out.text(" ");
                    out.text(&line.text);
                });
            }
        });
    });
}
