//! HTML as it is written: every text is escaped, and every element is closed.

use super::words::on_the_page;

/// HTML on its way.
#[derive(Default)]
pub(super) struct Markup(String);

impl Markup {
    /// What was written.
    pub(super) fn done(self) -> String {
        self.0
    }

    /// An element, with what `inside` writes in it. An attribute without a value is one that only has to be there.
    pub(super) fn wrap(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        inside(self);
        self.close(name);
    }

    /// An element with a text in it.
    pub(super) fn element(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.text(text);
        self.close(name);
    }

    /// An element with a sentence in it, which may come from where sentences go on: it begins with a great letter, and
    /// commands that have a button are left out. A path stays as it is. What has lines of its own, such as settings to be
    /// written somewhere, keeps them.
    pub(super) fn sentence(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        let text = on_the_page(text);
        let mut rest = text.chars();
        if let Some(first) = rest.next() {
            self.text(first.to_ascii_uppercase().encode_utf8(&mut [0; 4]));
        }
        let mut lines = rest.as_str().lines();
        self.text(lines.next().unwrap_or_default());
        for line in lines {
            self.open("br", &[]);
            self.text(line);
        }
        self.close(name);
    }

    /// The beginning of an element, or an element that has no end.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            if !value.is_empty() {
                self.0.push_str("=\"");
                self.text(value);
                self.0.push('"');
            }
        }
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Text, in an element or in an attribute.
    pub(super) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // What HTML cannot hold, or what could steer a terminal that shows it.
                '\t' | '\n' => self.0.push(' '),
                odd if odd.is_control() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> String {
        let mut out = Markup::default();
        out.text(text);
        out.done()
    }

    #[test]
    fn elements_are_closed_and_texts_escaped() {
        let mut out = Markup::default();
        out.wrap("p", &[("class", "a \"b\""), ("hidden", "")], |out| out.element("b", &[], "1 < 2 & 3"));
        out.open("br", &[]);
        assert_eq!(out.done(), "<p class=\"a &quot;b&quot;\" hidden><b>1 &lt; 2 &amp; 3</b></p><br>");
        assert_eq!(text("a\u{7}\nb"), "a\u{fffd} b");
        for (said, shown) in [
            ("", ""),
            ("no <way>", "No &lt;way&gt;"),
            ("/tmp/a", "/tmp/a"),
            ("<", "&lt;"),
            ("ü", "ü"),
            ("write:\n[a]\n<b>: 1\n", "Write:<br>[a]<br>&lt;b&gt;: 1"),
        ] {
            let mut out = Markup::default();
            out.sentence("p", &[], said);
            assert_eq!(out.done(), format!("<p>{shown}</p>"));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_markup(any in ".*") {
            let shown = text(&any);
            prop_assert!(!shown.contains(['<', '>', '"', '\n']));
            let back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            let expected: String = any.chars().map(|c| match c {
                '\t' | '\n' => ' ',
                odd if odd.is_control() => '\u{fffd}',
                other => other,
            }).collect();
            prop_assert_eq!(back, expected);
        }
    }
}
