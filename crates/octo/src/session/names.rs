//! Names of sessions for people: an adjective and a noun, as `cold-lamp`.

/// Short, plain, and hard to take for another.
const ADJECTIVES: [&str; 64] = [
    "amber", "basic", "blue", "bold", "brave", "brief", "bright", "broad", "calm", "clean", "clear", "cold", "cool",
    "crisp", "dark", "deep", "dry", "early", "easy", "even", "fair", "fast", "fine", "firm", "flat", "fresh", "full",
    "glad", "gold", "grand", "gray", "great", "green", "happy", "high", "keen", "kind", "large", "late", "light",
    "long", "loud", "lucky", "mild", "neat", "new", "noble", "pale", "plain", "proud", "quick", "quiet", "rapid",
    "red", "rich", "round", "sharp", "silent", "smooth", "soft", "solid", "still", "warm", "wide",
];
/// As above.
const NOUNS: [&str; 64] = [
    "anvil", "arch", "barn", "beam", "bell", "birch", "bolt", "bridge", "brook", "canal", "cedar", "chisel", "clock",
    "cloud", "coast", "comet", "crane", "creek", "delta", "drill", "dune", "field", "file", "forge", "fox", "garden",
    "gear", "glen", "grove", "hammer", "harbor", "hawk", "hill", "island", "lake", "lamp", "lathe", "lens", "maple",
    "meadow", "mill", "moon", "nozzle", "oak", "orchard", "otter", "pine", "planet", "plow", "pond", "prism",
    "quarry", "reef", "ridge", "river", "rotor", "sail", "spool", "spring", "stone", "tower", "valley", "wheel",
    "willow",
];

/// The name of a random number. `crowded` says how often a name was taken already: then a number of up to four digits
/// follows, so that there is always one that is free.
#[must_use]
pub fn readable(random: u64, crowded: u32) -> String {
    let pick = |words: &'static [&'static str; 64], bits: u64| words.get((bits & 63) as usize).copied().unwrap_or("");
    let (adjective, noun) = (pick(&ADJECTIVES, random), pick(&NOUNS, random >> 6));
    if crowded < 3 {
        return format!("{adjective}-{noun}");
    }
    format!("{adjective}-{noun}-{}", (random >> 12) % 10_000)
}

/// How a text names a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// By its whole id.
    Id(uuid::Uuid),
    /// By the start of its id, in small letters as the database has it, or by its readable name.
    Start(&'a str),
    /// By its readable name.
    Readable(&'a str),
}

/// What a text may name; `None` where no session can be called so.
#[must_use]
pub fn named(text: &str) -> Option<Named<'_>> {
    if let Ok(id) = uuid::Uuid::try_parse(text) {
        return Some(Named::Id(id));
    }
    let fits = |allowed: fn(u8) -> bool| text.bytes().all(|byte| allowed(byte) || byte == b'-');
    if !(4..=64).contains(&text.len()) {
        return None;
    }
    if fits(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Some(Named::Start(text));
    }
    fits(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).then_some(Named::Readable(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_different_and_plain() {
        for words in [&ADJECTIVES, &NOUNS] {
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), 64);
            assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        }
        let all: BTreeSet<String> = (0..4096).map(|random| readable(random, 0)).collect();
        assert_eq!(all.len(), 4096);
        assert_eq!(readable(11 + (35 << 6), 0), "cold-lamp");
        assert_eq!(readable(11 + (35 << 6) + (4711 << 12), 3), "cold-lamp-4711");
    }

    #[test]
    fn every_name_that_is_given_is_understood_as_one() {
        for random in 0..4096 {
            for crowded in [0, 5] {
                let name = readable(random << 3, crowded);
                assert_eq!(named(&name), Some(Named::Readable(&name)));
            }
        }
    }

    #[test]
    fn texts_that_name_sessions() {
        let id = "0a1b2c3d-0000-4000-8000-000000000000";
        assert_eq!(named(id), Some(Named::Id(id.parse().unwrap())));
        let rows = [
            ("0a1b", Some(Named::Start("0a1b"))),
            ("0a1b2c3d-00", Some(Named::Start("0a1b2c3d-00"))),
            ("0a1", None),
            ("", None),
            ("cold-lamp", Some(Named::Readable("cold-lamp"))),
            ("0A1B", None),
            ("%%%%", None),
            ("a_____", None),
            ("../../x", None),
        ];
        for (text, expected) in rows {
            assert_eq!(named(text), expected, "{text}");
        }
        assert_eq!(named(&"a".repeat(65)), None);
    }
}
