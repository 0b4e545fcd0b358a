//! extended.cfg as any text.

use octobridge::settings::ExtendedCfg;

/// No more values are asked for: a file of many short lines would only cost time.
const MOST: usize = 50;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split(['\n', '\r']).count();
    let parsed = match ExtendedCfg::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let sections = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    let sections: Vec<&str> = sections.take(MOST).chain(["telegram", "DEFAULT"]).collect();
    let keys = text.lines().filter_map(|line| line.split([':', '=']).next());
    let keys: Vec<&str> = keys.map(str::trim).take(MOST).chain(["enabled"]).collect();
    for section in sections {
        for key in &keys {
            if let Ok(Some(value)) = parsed.get(section, key) {
                assert!((1..=lines).contains(&value.line), "line {} of {lines}", value.line);
            }
        }
    }
}
