//! How a text is dressed for the chat: plain, or with its first line bold by one of the Bot API's two markups.
//!
//! Escapes are those of Telegram's Bot API reference, section on formatting options.

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    /// As they are.
    #[default]
    Plain,
    /// `parse_mode` HTML.
    Html,
    /// `parse_mode` `MarkdownV2`.
    Markdown,
}

/// What `MarkdownV2` wants a backslash before, everywhere but in code.
const MARKED: &str = "_*[]()~`>#+-=|{}.!\\";

impl Format {
    /// The format of that name in the settings.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "" | "plain" => Self::Plain,
            "html" => Self::Html,
            "markdown" | "markdownv2" => Self::Markdown,
            _ => return None,
        })
    }

    /// The value of `parse_mode`; none where the field is left out.
    pub(super) fn parse_mode(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Html => Some("HTML"),
            Self::Markdown => Some("MarkdownV2"),
        }
    }

    /// `text` so that all of it is seen as it is.
    pub(super) fn escape(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Html => html(text),
            Self::Markdown => backslashed(text, MARKED),
        }
    }

    /// `text` so that all of it is seen as it is, within code.
    pub(super) fn escape_code(self, text: &str) -> String {
        match self {
            Self::Markdown => backslashed(text, "`\\"),
            Self::Plain | Self::Html => self.escape(text),
        }
    }

    /// `text` with its first line bold.
    pub(super) fn dress(self, text: &str) -> String {
        let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
        let (first, rest) = (self.escape(first), self.escape(rest));
        match self {
            _ if first.trim().is_empty() => first + &rest,
            Self::Plain => first + &rest,
            Self::Html => format!("<b>{first}</b>{rest}"),
            Self::Markdown => format!("*{first}*{rest}"),
        }
    }

    /// `text` in letters of one width, such as lines of a log.
    pub(super) fn code(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Html => format!("<pre>{}</pre>", self.escape_code(text)),
            Self::Markdown => format!("```\n{}\n```", self.escape_code(text)),
        }
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn backslashed(text: &str, marked: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if marked.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The vectors `b-escape`.
    #[test]
    fn names_are_escaped_as_the_vectors_say() {
        let vectors = include_str!("../../../tests/vectors/telegram/b-escape.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let text = case["in"].as_str().unwrap();
            assert_eq!(Format::Plain.escape(text), text);
            assert_eq!(Format::Html.escape(text), case["html"].as_str().unwrap());
            assert_eq!(Format::Markdown.escape(text), case["markdown_v2"].as_str().unwrap());
            assert_eq!(Format::Markdown.escape_code(text), case["markdown_v2_pre"].as_str().unwrap());
        }
    }

    #[test]
    fn the_first_line_stands_out() {
        for (format, text, expected) in [
            (Format::Plain, "a<b\nc_d", "a<b\nc_d"),
            (Format::Html, "a<b\nc_d", "<b>a&lt;b</b>\nc_d"),
            (Format::Html, "a", "<b>a</b>"),
            (Format::Html, "", ""),
            (Format::Markdown, "a.b\nc_d", "*a\\.b*\nc\\_d"),
        ] {
            assert_eq!(format.dress(text), expected);
        }
        assert_eq!(Format::Html.code("a<b\nc"), "<pre>a&lt;b\nc</pre>");
        assert_eq!(Format::Markdown.code("a`b.c"), "```\na\\`b.c\n```");
    }
}
