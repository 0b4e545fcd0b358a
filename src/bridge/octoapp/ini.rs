//! Files of sections, keys and values, as Python's `configparser` writes them: read leniently, and changed in one line.

/// What stands for `%` in the plugin's values.
const PERCENT: &str = "~~~PercentageSignPlaceholder~~~";

/// The lines, each with whether it belongs to the section, and with its key and value where it has such.
fn lines<'t>(
    text: &'t str,
    section: &str,
) -> impl Iterator<Item = (bool, &'t str, Option<(&'t str, &'t str)>)> {
    let mut inside = false;
    text.split_inclusive('\n').map(move |line| {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
            return (inside, line, None);
        }
        let comment = trimmed.starts_with(['#', ';']);
        let pair = trimmed.split_once(['=', ':']).filter(|_| inside && !comment);
        (inside, line, pair.map(|(key, value)| (key.trim(), value.trim())))
    })
}

/// The value of a key in a section; none where it is missing, empty, or `None`.
pub(super) fn value(text: &str, section: &str, key: &str) -> Option<String> {
    let mut pairs = lines(text, section).filter_map(|(.., pair)| pair);
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    (!value.is_empty() && value != "None").then(|| value.replace(PERCENT, "%"))
}

/// The text with that value in it. What was there before stays as a comment.
pub(super) fn with(text: &str, section: &str, key: &str, value: &str) -> String {
    let own = format!("{key} = {value}\n");
    let mut made = String::new();
    let mut done = false;
    for (inside, line, pair) in lines(text, section) {
        if pair.is_some_and(|(name, _)| name.eq_ignore_ascii_case(key)) {
            made.push_str("# ");
        }
        made.push_str(line.trim_end_matches('\n'));
        made.push('\n');
        if inside && !done && pair.is_none() && line.trim_start().starts_with('[') {
            made.push_str(&own);
            done = true;
        }
    }
    if !done {
        made.push_str(&format!("[{section}]\n{own}"));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_found_by_section_and_key() {
        for (text, found) in [
            ("[a]\nk = v\n", Some("v")),
            ("[a]\nK: v", Some("v")),
            ("[b]\nk = w\n[a]\nj = x\nk = v", Some("v")),
            ("[a]\nk = x~~~PercentageSignPlaceholder~~~20y\n", Some("x%20y")),
            ("[b]\nk = v\n", None),
            ("[a]\n# k = v\n;k = v\n", None),
            ("[a]\nk = None\n", None),
            ("[a]\nk =\n", None),
            ("k = v\n", None),
            ("", None),
        ] {
            assert_eq!(value(text, "a", "k").as_deref(), found, "{text}");
        }
    }

    #[test]
    fn what_was_there_stays() {
        let made = with("; mine\n[a]\nj = 1\nk = old\n[b]\nk = 2", "a", "k", "new");
        assert_eq!(made, "; mine\n[a]\nk = new\nj = 1\n# k = old\n[b]\nk = 2\n");
        assert_eq!(with("", "a", "k", "new"), "[a]\nk = new\n");
    }

    proptest! {
        #[test]
        fn any_text_takes_a_value(text in r"(\[a\]\n|\[x\]\n|k ?= ?|[a-z]{0,9}|\n|:|;| |#){0,20}") {
            let made = with(&text, "a", "k", "new");
            let found = value(&made, "a", "k");
            prop_assert_eq!(found.as_deref(), Some("new"), "{}", made);
            let words = |text: &str| text.split_whitespace().filter(|word| *word != "#").map(str::to_owned).collect::<Vec<_>>();
            let (mut left, all) = (words(&made).into_iter(), words(&text));
            prop_assert!(all.iter().all(|word| left.any(|found| found == *word)), "{} of {}", made, text);
        }
    }
}
