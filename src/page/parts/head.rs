//! The printer, its job and its camera.

use super::super::markup::Markup;
use super::super::sight::Sight;
use super::super::words::ENGLISH;

/// Draws the head.
pub(super) fn draw(out: &mut Markup, sight: &Sight) {
    out.wrap("header", &[("id", "head")], |out| {
        out.wrap("div", &[], |out| {
            out.element("h1", &[], &sight.printer);
            let class = if sight.connected { "state ok" } else { "state fail" };
            out.sentence("p", &[("class", class)], &sight.source);
            match &sight.job {
                None if !sight.connected => {}
                None => out.element("p", &[], ENGLISH.no_job),
                Some(job) => {
                    let word = if job.paused { ENGLISH.paused } else { ENGLISH.printing };
                    let percent = job.percent.map(|percent| percent.to_string());
                    let shown = percent.as_ref().map(|percent| [", ", percent, "\u{a0}%"].concat());
                    let line = [word, " ", &job.name, shown.as_deref().unwrap_or_default()].concat();
                    out.element("p", &[], &line);
                    if let Some(percent) = &percent {
                        out.element(
                            "progress",
                            &[("max", "100"), ("value", percent), ("aria-label", word)],
                            "",
                        );
                    }
                }
            }
        });
        if sight.camera {
            out.wrap("figure", &[], |out| {
                let image = [("src", "page/camera.jpg"), ("alt", ENGLISH.camera), ("data-live", "")];
                out.open("img", &image);
            });
        }
    });
}
