//! Forms: each bears the page's key, and the bridge that it is for.

use super::super::markup::Markup;

/// Where every form goes.
const ACTION: &str = "page/do";

/// What a form is sent with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    /// The page's key.
    pub(super) key: &'a str,
    /// The bridge; empty for none.
    pub(super) bridge: &'a str,
}

impl Form<'_> {
    /// Draws a form around `inside`.
    pub(super) fn draw(self, out: &mut Markup, inside: impl FnOnce(&mut Markup)) {
        out.wrap("form", &[("method", "post"), ("action", ACTION), ("autocomplete", "off")], |out| {
            let hidden = |out: &mut Markup, name, value| {
                out.open("input", &[("type", "hidden"), ("name", name), ("value", value)]);
            };
            hidden(out, "key", self.key);
            if !self.bridge.is_empty() {
                hidden(out, "bridge", self.bridge);
            }
            inside(out);
        });
    }

    /// A form of one button.
    pub(super) fn button(self, out: &mut Markup, class: &str, what: &str, label: &str) {
        self.draw(out, |out| button(out, class, what, label));
    }

    /// A button that first has to be unfolded, since what it does cannot be taken back: the fold, what is lost, the button.
    pub(super) fn risk(self, out: &mut Markup, what: &str, [fold, loss, label]: [&str; 3]) {
        self.fold(out, what, fold, |out| {
            out.element("p", &[], loss);
            self.button(out, "risk", what, label);
        });
    }

    /// Something to unfold. It is called by what is in it, so that an open page takes no other one for it.
    pub(super) fn fold(self, out: &mut Markup, what: &str, fold: &str, inside: impl FnOnce(&mut Markup)) {
        let id = [what, "-", &self.bridge.replace(' ', "-")].concat();
        out.wrap("details", &[("id", &id)], |out| {
            out.element("summary", &[], fold);
            inside(out);
        });
    }
}

/// A button that sends its form.
pub(super) fn button(out: &mut Markup, class: &str, what: &str, label: &str) {
    out.element("button", &[("class", class), ("name", "do"), ("value", what)], label);
}
