//! Paths that may be meant.

use std::collections::BTreeSet;

/// Most that are told.
const MOST: usize = 5;

/// The known paths that are most like a path: those with its file name, and those that differ in a few letters.
pub(super) fn matches(path: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let most = (name.chars().count() / 3).clamp(1, 3);
    let mut found: BTreeSet<(usize, String)> = BTreeSet::new();
    for other in known {
        let (folder, last) = other.rsplit_once('/').unwrap_or(("", &other));
        if last.is_empty() {
            continue;
        }
        let here = path.rsplit_once('/').map(|(folder, _)| folder) == Some(folder);
        let distance = distance(name, last, most);
        // What lies in the same folder may differ more.
        match distance {
            Some(letters) if here || letters == 0 => found.insert((letters, other)),
            Some(letters) if letters < most => found.insert((letters + most, other)),
            _ => false,
        };
    }
    found.into_iter().take(MOST).map(|(_, path)| path).collect()
}

/// How many letters must be put in, taken out, changed or swapped with the next to get from one to the other, up to a
/// bound; upper and lower case count as equal.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (one, other) = (letters(one), letters(other));
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let far = one.len().max(other.len());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for row in 1..=one.len() {
        let mut next = vec![row];
        for column in 1..=other.len() {
            let at = |back: usize, left: usize| {
                let row = if back == 0 { Some(&next) } else { rows.get(row - back.min(row)) };
                row.and_then(|row| row.get(column - left.min(column))).copied().unwrap_or(far)
            };
            let letter = |text: &[char], place: usize| text.get(place.wrapping_sub(1)).copied();
            let (here, there) = (letter(&one, row), letter(&other, column));
            let mut least = (at(1, 1) + usize::from(here != there)).min(at(1, 0) + 1).min(at(0, 1) + 1);
            let swapped = here == letter(&other, column - 1) && letter(&one, row - 1) == there;
            if row > 1 && column > 1 && swapped {
                least = least.min(at(2, 2) + 1);
            }
            next.push(least);
        }
        rows.push(next);
    }
    rows.last().and_then(|row| row.last()).copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters_and_swaps() {
        for (one, other, expected) in [
            ("", "", Some(0)),
            ("S66octoapp", "S66octoapp", Some(0)),
            ("S66octoap", "S66octoapp", Some(1)),
            ("kitten", "sitting", Some(3)),
            ("Kitten", "kitten", Some(0)),
            ("abc", "xyz", Some(3)),
            ("abcd", "wxyz", None),
            ("a", "abcdef", None),
            ("new", "nwe", Some(1)),
            ("ab", "ba", Some(1)),
            ("abc", "cab", Some(2)),
        ] {
            assert_eq!(distance(one, other, 3), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_same_name_comes_first_then_what_is_like_it() {
        let known = [
            "/",
            "/etc",
            "/etc/init.d",
            "/etc/init.d/S66octoapp",
            "/etc/init.d/S60octoapp",
            "/opt/S66octoap",
            "/etc/x",
        ];
        let found = |path| matches(path, known.iter().map(|path| (*path).to_owned()));
        assert_eq!(
            found("/etc/init.d/S66octoap"),
            ["/opt/S66octoap", "/etc/init.d/S66octoapp", "/etc/init.d/S60octoapp"]
        );
        assert_eq!(found("/opt/x"), ["/etc/x"]);
        assert!(found("/nothing/like/that").is_empty());
    }
}
