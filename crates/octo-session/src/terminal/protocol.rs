//! ttyd's protocol: one byte that says what follows, then that. Pure.

use serde::Deserialize;

/// The name under which both sides of a WebSocket agree on it.
pub(super) const SUBPROTOCOL: &str = "tty";

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Characters in a line.
    pub(super) columns: u16,
    /// Lines.
    pub(super) rows: u16,
}

impl Default for Size {
    fn default() -> Size {
        Size { columns: 80, rows: 24 }
    }
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said<'m> {
    /// Its first message: who it is, and how large its window is.
    Hello {
        /// What `GET /token` gave it.
        token: Option<String>,
        /// The window, if it is told.
        size: Option<Size>,
    },
    /// What a person typed.
    Input(&'m [u8]),
    /// The window has another size.
    Resize(Size),
    /// No more output for now.
    Pause,
    /// Output again.
    Resume,
    /// Nothing that is known; it is passed over.
    Unknown,
}

#[derive(Deserialize)]
struct Hello {
    #[serde(rename = "AuthToken")]
    token: Option<String>,
    columns: Option<u16>,
    rows: Option<u16>,
}

fn size(columns: Option<u16>, rows: Option<u16>) -> Option<Size> {
    match (columns, rows) {
        (Some(columns @ 1..), Some(rows @ 1..)) => Some(Size { columns, rows }),
        _ => None,
    }
}

/// Reads a message of a client, text or binary.
pub(super) fn read(message: &[u8]) -> Said<'_> {
    match message.split_first() {
        Some((b'{', _)) => match serde_json::from_slice::<Hello>(message) {
            Ok(hello) => Said::Hello { token: hello.token, size: size(hello.columns, hello.rows) },
            Err(_) => Said::Unknown,
        },
        Some((b'0', input)) => Said::Input(input),
        Some((b'1', rest)) => match serde_json::from_slice::<Hello>(rest) {
            Ok(hello) => size(hello.columns, hello.rows).map_or(Said::Unknown, Said::Resize),
            Err(_) => Said::Unknown,
        },
        Some((b'2', _)) => Said::Pause,
        Some((b'3', _)) => Said::Resume,
        _ => Said::Unknown,
    }
}

/// What the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// What the shell wrote; not always whole characters.
    Output = b'0' as isize,
    /// The title of the window.
    Title = b'1' as isize,
    /// Settings of the terminal on the page, as JSON.
    Preferences = b'2' as isize,
}

/// Makes a message of the server.
pub(super) fn write(tell: Tell, rest: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(rest.len() + 1);
    message.push(tell as u8);
    message.extend_from_slice(rest);
    message
}

/// The settings for the page, out of `key=value`. A value that is JSON counts as such, any other as text.
pub(super) fn preferences(options: &[(String, String)]) -> String {
    if options.is_empty() {
        // As ttyd writes an empty object.
        return "{ }".to_owned();
    }
    let object: serde_json::Map<String, serde_json::Value> = options
        .iter()
        .map(|(key, value)| {
            let read =
                serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.clone()));
            (key.clone(), read)
        })
        .collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_read_as_ttyd_reads_them() {
        let large = Size { columns: 120, rows: 40 };
        let hello = |token: Option<&str>, size| Said::Hello { token: token.map(str::to_owned), size };
        for (message, expected) in [
            (r#"{"AuthToken":"","columns":120,"rows":40}"#, hello(Some(""), Some(large))),
            (r#"{"AuthToken":"YTpi"}"#, hello(Some("YTpi"), None)),
            ("{}", hello(None, None)),
            (r#"{"columns":0,"rows":0}"#, hello(None, None)),
            ("{", Said::Unknown),
            ("0ls\r", Said::Input(b"ls\r")),
            ("0", Said::Input(b"")),
            ("0{\"columns\":1}", Said::Input(b"{\"columns\":1}")),
            (r#"1{"columns":120,"rows":40}"#, Said::Resize(large)),
            (r#"1{"columns":120}"#, Said::Unknown),
            (r#"1{"columns":-1,"rows":70000}"#, Said::Unknown),
            ("1", Said::Unknown),
            ("2", Said::Pause),
            ("3", Said::Resume),
            ("9", Said::Unknown),
            ("", Said::Unknown),
        ] {
            assert_eq!(read(message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn messages_are_written_with_their_byte() {
        assert_eq!(write(Tell::Output, b"x"), b"0x");
        assert_eq!(write(Tell::Title, b"sh (box)"), b"1sh (box)");
        assert_eq!(write(Tell::Preferences, b"{ }"), b"2{ }");
    }

    #[test]
    fn preferences_are_json_where_they_can_be() {
        assert_eq!(preferences(&[]), "{ }");
        let options = [("fontSize", "18"), ("theme", r#"{"background":"red"}"#), ("cursorStyle", "bar")];
        let options: Vec<_> = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(
            preferences(&options),
            r#"{"cursorStyle":"bar","fontSize":18,"theme":{"background":"red"}}"#
        );
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&message);
        }
    }
}
