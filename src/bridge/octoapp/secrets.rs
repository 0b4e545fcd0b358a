//! The printer's identity, in the file in which OctoApp's plugin keeps it: who comes from the plugin keeps his.
//!
//! Whatever else is in the file stays as it is.

use super::outside::Outside;
use super::print::fresh_id;
use crate::whole_file;
use std::path::Path;

/// The file's name in the data folder.
const FILE: &str = "octoapp.secrets";
const SECTION: &str = "secrets";
const KEY: &str = "printer_id";
/// Length of a fresh identity, and the lengths that the plugin takes.
const LENGTH: usize = 60;
const SOUND: std::ops::RangeInclusive<usize> = 40..=60;
/// Largest file, in bytes.
const MOST_FILE: u64 = 64 * 1024;

/// The identity that the file holds, or a fresh one, which is brought there. A file that cannot be read is left alone.
pub(super) fn printer_id<O: Outside>(data_dir: &Path, outside: &mut O) -> String {
    let path = data_dir.join(FILE);
    let text = match whole_file::read_text(&path, MOST_FILE) {
        Ok(text) => text,
        Err(error) if error.is_missing() => String::new(),
        Err(error) => {
            log::error!(
                "octoapp: {error}; until it can be read the printer has another identity at each start"
            );
            return fresh_id(outside, LENGTH);
        }
    };
    if let Some(id) = find(&text) {
        return id.to_owned();
    }
    let id = fresh_id(outside, LENGTH);
    if let Err(error) = whole_file::replace_for_owner(&path, with(&text, &id).as_bytes()) {
        log::warn!("octoapp: cannot keep the printer's identity in {}: {error}", path.display());
    }
    id
}

/// The lines of the section, each with its key and value where it has such.
fn lines(text: &str) -> impl Iterator<Item = (bool, &str, Option<(&str, &str)>)> {
    let mut inside = false;
    text.split_inclusive('\n').map(move |line| {
        let trimmed = line.trim();
        if let Some(section) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = section == SECTION;
            return (inside, line, None);
        }
        let comment = trimmed.starts_with(['#', ';']);
        let pair = trimmed.split_once(['=', ':']).filter(|_| inside && !comment);
        (inside, line, pair.map(|(key, value)| (key.trim(), value.trim())))
    })
}

fn find(text: &str) -> Option<&str> {
    let mut pairs = lines(text).filter_map(|(.., pair)| pair);
    let (_, id) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(KEY))?;
    (SOUND.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())).then_some(id)
}

/// The text with the identity in it, in the place of an unsound one.
fn with(text: &str, id: &str) -> String {
    let own = format!("{KEY} = {id}\n");
    let mut made = String::new();
    let mut done = false;
    for (inside, line, pair) in lines(text) {
        if pair.is_some_and(|(key, _)| key.eq_ignore_ascii_case(KEY)) {
            continue;
        }
        made.push_str(line);
        if !line.ends_with('\n') {
            made.push('\n');
        }
        if inside && !done && pair.is_none() && line.trim_start().starts_with('[') {
            made.push_str(&own);
            done = true;
        }
    }
    if !done {
        made.push_str(&format!("[{SECTION}]\n{own}"));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5";

    #[test]
    fn the_plugins_identity_is_kept_and_the_rest_of_its_file() {
        for (text, found) in [
            (format!("[secrets]\nprinter_id = {ID}\nprivate_key = k\n"), true),
            (format!("[secrets]\nPrinter_ID: {ID}"), true),
            (format!("[other]\nprinter_id = {ID}\n"), false),
            (format!("[secrets]\n# printer_id = {ID}\n"), false),
            ("[secrets]\nprinter_id = short\nprivate_key = k\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(find(&text).is_some(), found, "{text}");
            let made = with(&text, ID);
            assert_eq!(find(&made), Some(ID), "{made}");
            assert_eq!(made.contains("private_key = k"), text.contains("private_key = k"));
        }
    }

    proptest! {
        #[test]
        fn any_file_takes_an_identity(text in r"(\[secrets\]\n|\[x\]\n|printer_id ?= ?|[a-z]{0,9}|\n|:|;| ){0,20}") {
            let made = with(&text, ID);
            prop_assert_eq!(find(&made), Some(ID), "{}", made);
        }
    }
}
