use super::*;
use proptest::prelude::*;

fn with(text: &str, values: &[(&str, &str)]) -> Option<String> {
    let values: Vec<(&str, String)> = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    set(text, "telegram", &values)
}

#[test]
fn a_value_goes_where_a_person_would_write_it() {
    let table = [
        ("", "[telegram]\nchat_id: 5\n"),
        ("[a]\nx: 1\n", "[a]\nx: 1\n\n[telegram]\nchat_id: 5\n"),
        ("[a]\nx: 1\n\n", "[a]\nx: 1\n\n[telegram]\nchat_id: 5\n"),
        ("[a]\r\nx: 1", "[a]\r\nx: 1\r\n\r\n[telegram]\r\nchat_id: 5\r\n"),
        ("[telegram]\n# c\n\n[b]\ny: 2\n", "[telegram]\nchat_id: 5\n# c\n\n[b]\ny: 2\n"),
        // Behind the last key, since the printer's own tools take a blank line for the section's end.
        ("[telegram]\nenabled: true\n\n# c\n[b]\n", "[telegram]\nenabled: true\nchat_id: 5\n\n# c\n[b]\n"),
        ("[telegram]\nenabled: true", "[telegram]\nenabled: true\nchat_id: 5\n"),
        ("[telegram]\nCHAT_ID =7 \nx: 1\n", "[telegram]\nCHAT_ID =5\nx: 1\n"),
        ("[telegram]\nchat_id =  7\r\nx: 1\n", "[telegram]\nchat_id =  5\r\nx: 1\n"),
        ("[telegram]\nchat_id:\n", "[telegram]\nchat_id: 5\n"),
        ("[telegram]\nchat_id: 1\n  # c\n\n  2\n\nx: 1\n", "[telegram]\nchat_id: 5\n  # c\n\n\nx: 1\n"),
        (
            "[telegram]\n  a: 1\n    2\n  b: 3\n  [c]\n",
            "[telegram]\n  a: 1\n    2\n  b: 3\n  chat_id: 5\n  [c]\n",
        ),
        (
            "[DEFAULT]\nchat_id: 9\n[telegram]\nx: 1\n",
            "[DEFAULT]\nchat_id: 9\n[telegram]\nx: 1\nchat_id: 5\n",
        ),
        ("[telegram ]\n[telegram]\n", "[telegram ]\n[telegram]\nchat_id: 5\n"),
        ("[telegram]\rx: 1\r", "[telegram]\rx: 1\rchat_id: 5\r"),
        ("[telegram]\rx: 1\n\n", "[telegram]\rx: 1\nchat_id: 5\n\n"),
    ];
    for (text, expected) in table {
        assert_eq!(with(text, &[("chat_id", "5")]).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn several_values_keep_their_order() {
    let made = with("[telegram]\nchat_id: 1\n", &[("enabled", "true"), ("chat_id", "2"), ("name", "5% :")]);
    assert_eq!(made.as_deref(), Some("[telegram]\nchat_id: 2\nenabled: true\nname: 5%% :\n"));
}

#[test]
fn nothing_is_written_that_would_read_otherwise() {
    // The header of the other section would become a part of the value.
    assert_eq!(with("[telegram]\n  [b]\nx: 1\n", &[("chat_id", "5")]), None);
    for value in ["a\nb: 1", " a", "a ", "a\r"] {
        assert_eq!(with("[telegram]\n", &[("chat_id", value)]), None, "{value:?}");
    }
    // The ends of two lines would become one.
    assert_eq!(with("[telegram]\nchat_id: 1\r  2\n\nx: 1\n", &[("chat_id", "5")]), None);
    assert_eq!(with("x: 1\n", &[("chat_id", "5")]), None);
    assert_eq!(with("[telegram]\n", &[("a: b", "5")]), None);
}

#[test]
fn a_file_keeps_its_mode_its_link_and_what_cannot_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("real.cfg"), dir.path().join("extended2.cfg"));
    std::os::unix::fs::symlink("real.cfg", &link).unwrap();
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    std::fs::write(&file, "# mine\n[telegram]\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o664)).unwrap();
    set_in_file(&link, "telegram", &[("enabled", "true".to_owned())]).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n[telegram]\nenabled: true\n");
    assert!(link.is_symlink() && mode() == 0o664);
    for (text, part) in [("nonsense\n", "line 1"), ("[telegram]\n  [b]\n", "by hand")] {
        std::fs::write(&file, text).unwrap();
        let error =
            set_in_file(&link, "telegram", &[("enabled", "true".to_owned())]).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("extended2.cfg"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

fn line() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(&["", "true", "a b", "5%%", "x=y", "# no", "[z]", "\u{a0}"][..]);
    let key = proptest::sample::select(&["enabled", "Chat_ID", "chat_id", "note", "other"][..]);
    let sign = proptest::sample::select(&[":", "=", " : ", "= "][..]);
    let indent = proptest::sample::select(&["", "", "", " ", "  ", "\t", "    "][..]);
    let header = proptest::sample::select(&["[telegram]", "[octoapp]", "[telegram b]", "[DEFAULT]"][..]);
    prop_oneof![
        5 => (indent.clone(), key, sign, word.clone()).prop_map(|(indent, key, sign, word)| format!("{indent}{key}{sign}{word}")),
        2 => (indent.clone(), word.clone()).prop_map(|(indent, word)| format!("{indent}{word}")),
        2 => (indent, header).prop_map(|(indent, header)| format!("{indent}{header}")),
        1 => word.prop_map(|word| format!("# {word}")),
    ]
}

/// A terminal and the page may write at the same time, and the page for several bridges.
#[test]
fn those_who_write_at_once_take_nothing_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("extended2.cfg");
    std::fs::write(&path, "[a]\nx: 1\n").unwrap();
    let numbers = 0..8;
    std::thread::scope(|scope| {
        for number in numbers.clone() {
            let path = &path;
            scope.spawn(move || {
                for round in 0..20 {
                    set_in_file(path, &format!("n{number}"), &[("round", format!("{round}"))]).unwrap();
                }
            });
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let read = ExtendedCfg::parse(&text).unwrap();
    for number in numbers {
        let found = read.get(&format!("n{number}"), "round").unwrap();
        assert_eq!(found.map(|found| found.text).as_deref(), Some("19"), "{number}: {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn other_lines_stay_and_the_value_is_read_back(
        lines in proptest::collection::vec((line(), proptest::sample::select(&["\n", "\n", "\r\n", "\r", "\n\n"][..])), 0..14),
        cut in any::<bool>(),
        value in "[a-z0-9%:=#;\\[\\]-]{1,8}",
    ) {
        let mut text: String = lines.iter().flat_map(|(line, end)| [line.as_str(), end]).collect();
        if cut {
            text = text.trim_end_matches(['\n', '\r']).to_owned();
        }
        let Some(made) = with(&text, &[("chat_id", &value)]) else { return Ok(()) };
        let parsed = ExtendedCfg::parse(&made).unwrap();
        prop_assert_eq!(parsed.get("telegram", "chat_id").unwrap().unwrap().text, value.clone());
        // Whatever is common at both ends is untouched: what is between holds one value, and lines that begin it.
        let (before, after) = (Lines::of(&text), Lines::of(&made));
        let mut left: Vec<&str> = after.all.iter().map(|(line, _)| *line).collect();
        let gone: Vec<&str> = before.all.iter().map(|(line, _)| *line).filter(|line| {
            let found = left.iter().position(|other| body(other) == body(line));
            found.map(|at| left.remove(at)).is_none()
        }).collect();
        let indented = |line: &&str| line.starts_with([' ', '\t', '\u{a0}']);
        let former = |line: &&str| line.trim_start().to_lowercase().starts_with("chat_id") || indented(line);
        prop_assert!(gone.iter().all(former), "{gone:?}\n{text:?}\n{made:?}");
        // Again the same is nothing new.
        prop_assert_eq!(with(&made, &[("chat_id", &value)]).unwrap(), made);
    }

    #[test]
    fn any_text_is_taken(text: String, section: String, key: String, value: String) {
        let _ = set(&text, &section, &[(&key, value)]);
    }
}
