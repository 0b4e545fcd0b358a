//! What is kept out of texts that people see: secrets that stand where they do not belong.

/// Replaces whatever looks like a bot's token in `text`, also where its colon is percent-encoded.
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, length)) = next_colon(rest) {
        let (before, after) =
            (rest.get(..at).unwrap_or_default(), rest.get(at + length..).unwrap_or_default());
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        let secret = after.bytes().take_while(|byte| is_secret_byte(*byte)).count();
        // Anything shorter is the port of an address or the time of day.
        if digits >= 1 && secret >= 8 {
            clean.push_str(before.get(..before.len() - digits).unwrap_or_default());
            clean.push_str("***");
            rest = after.get(secret..).unwrap_or_default();
        } else {
            clean.push_str(rest.get(..at + length).unwrap_or_default());
            rest = after;
        }
    }
    clean.push_str(rest);
    clean
}

/// Where the next colon stands, and its length.
fn next_colon(text: &str) -> Option<(usize, usize)> {
    let is_encoded = |three: &[u8]| three.eq_ignore_ascii_case(b"%3a");
    let encoded = text.as_bytes().windows(3).position(is_encoded).map(|at| (at, 3));
    let plain = text.find(':').map(|at| (at, 1));
    [plain, encoded].into_iter().flatten().min()
}

fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The value of a setting that is no secret itself, without what may be one in it: a bot's token, and user, password and
/// query of an address.
pub(super) fn hide(value: &str) -> String {
    let (scheme, rest) = match value.find("://") {
        Some(at) => value.split_at(at + 3),
        None => ("", value),
    };
    let is_address =
        !scheme.is_empty() || rest.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'));
    if !is_address {
        return redact(value);
    }
    // A password may hold any of the signs that end a part of an address.
    let rest = match rest.rfind('@') {
        Some(at) => format!("(hidden){}", rest.get(at..).unwrap_or_default()),
        None => rest.to_owned(),
    };
    let shown = match rest.split_once(['?', '#']) {
        Some((rest, _)) => format!("{scheme}{rest}?(hidden)"),
        None => format!("{scheme}{rest}"),
    };
    redact(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

    #[test]
    fn tokens_are_redacted() {
        let cases = [
            (
                format!("https://api.telegram.org/bot{TOKEN}/sendMessage: refused"),
                "https://api.telegram.org/bot***/sendMessage: refused",
            ),
            (TOKEN.to_owned(), "***"),
            (TOKEN.replace(':', "%3A"), "***"),
            (format!("caf\u{e9}: %3a {}", TOKEN.replace(':', "%3a")), "caf\u{e9}: %3a ***"),
            (format!("a {TOKEN} b {TOKEN}"), "a *** b ***"),
            (
                "10.0.2.2:8443: connection refused at 12:30:00".to_owned(),
                "10.0.2.2:8443: connection refused at 12:30:00",
            ),
            ("caf\u{e9}: 1:2 \u{1f3b2}:".to_owned(), "caf\u{e9}: 1:2 \u{1f3b2}:"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(&text), expected);
        }
    }

    #[test]
    fn what_may_be_secret_in_a_value_is_hidden() {
        for (value, shown) in [
            ("wss://host/ws/printer/{PRINTER_ID}", "wss://host/ws/printer/{PRINTER_ID}"),
            ("ws://127.0.0.1:7125/websocket", "ws://127.0.0.1:7125/websocket"),
            ("wss://u:p@host/ws?token=x", "wss://(hidden)@host/ws?(hidden)"),
            ("wss://u:p/q?r#s@host:1/ws", "wss://(hidden)@host:1/ws"),
            ("wss://host?token=x", "wss://host?(hidden)"),
            ("wss://host/ws#x", "wss://host/ws?(hidden)"),
            ("u:p@host", "(hidden)@host"),
            // No addresses.
            ("@channel", "@channel"),
            ("@name and a? b#c", "@name and a? b#c"),
            ("on", "on"),
            (TOKEN, "***"),
        ] {
            assert_eq!(hide(value), shown, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,60}", before in "[^0-9]{0,20}", after in "[^A-Za-z0-9_-]?.{0,20}") {
            let _ = (hide(&text), redact(&text));
            let around = format!("{before}{TOKEN}{after}");
            prop_assert!(!redact(&around).contains("dqTcvCH1vGWJxfSeofSAs0K5PALDsaw"), "{around}");
            prop_assert!(!hide(&around).contains("dqTcvCH1vGWJxfSeofSAs0K5PALDsaw"), "{around}");
        }
    }
}
