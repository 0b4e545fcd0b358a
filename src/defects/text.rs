//! Foreign texts, made fit to be shown and handed on.

/// `text` on one line, without what could mislead, at most `most` characters long.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let text = text.trim();
    let visible =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_misleading(*c));
    let mut line = String::new();
    let mut left = most;
    // What is cut is marked, so that nobody takes half a sentence for the whole.
    for c in visible.skip_while(|c| *c == ' ') {
        if left == 0 {
            line.pop();
            line.push('\u{2026}');
            break;
        }
        line.push(c);
        left -= 1;
    }
    line.truncate(line.trim_end().len());
    line
}

/// Control characters, and those that change the direction of what follows or hide in it.
fn is_misleading(c: char) -> bool {
    let invisible = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    c.is_control() || invisible
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let table = [
            ("cube.gcode", "cube.gcode"),
            ("  two\r\nlines\t ", "two  lines"),
            ("a\u{202e}edocg\u{0}\u{7}.b\u{200b}", "aedocg.b"),
            (
                "\u{fc}\u{1f3b2}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
                "\u{fc}\u{1f3b2}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
            ),
            ("elevenchars", "elevencha\u{2026}"),
            ("123456789    ", "123456789"),
            ("", ""),
            (" \u{200b} ", ""),
        ];
        for (text, expected) in table {
            assert_eq!(one_line(text, 10), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_grows_or_misleads(text in any::<String>(), most in 0_usize..50) {
            let line = one_line(&text, most);
            prop_assert!(line.chars().count() <= most.max(1));
            prop_assert!(!line.chars().any(|c| is_misleading(c) || c == '\n'));
        }
    }
}
