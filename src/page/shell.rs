//! The page around its parts, and the files that belong to it.

use super::markup::Markup;
use super::parts::{Part, head, parts};
use super::sight::Sight;
use super::words::ENGLISH;

const SHELL: &str = include_str!("shell.html");
/// How it looks.
pub const STYLE: &str = include_str!("page.css");
/// What keeps it true.
pub const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub fn whole(sight: &Sight) -> String {
    let escaped = |text: &str| {
        let mut out = Markup::default();
        out.text(text);
        out.done()
    };
    let title = escaped(&[&sight.printer, " – ", ENGLISH.title].concat());
    let foot = escaped(&[ENGLISH.foot, " ", env!("CARGO_PKG_VERSION")].concat());
    let mut rest = SHELL;
    let mut page = String::with_capacity(16 * 1024);
    // Once through, so that nothing that a part holds is taken for a place.
    while let Some((before, after)) = rest.split_once('{') {
        page.push_str(before);
        let Some((place, after)) = after.split_once('}') else { break };
        match place {
            "title" => page.push_str(&title),
            "lost" => page.push_str(&escaped(ENGLISH.lost)),
            "ended" => page.push_str(&escaped(ENGLISH.ended)),
            "foot" => page.push_str(&foot),
            "head" => page.push_str(&head(sight).html),
            _ => parts(sight).iter().skip(1).for_each(|Part { html, .. }| page.push_str(html)),
        }
        rest = after;
    }
    page.push_str(rest);
    page
}
