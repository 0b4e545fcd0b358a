//! From Connect's path of a file to the printer's.

/// Longest path, in bytes.
const MOST: usize = 1024;

/// The path below the storage, without a slash in front. None for what is not below it, or would not stay there.
pub(super) fn below<'p>(path: &'p str, storage: &str) -> Option<&'p str> {
    let rest = path.strip_prefix('/')?.strip_prefix(storage)?.strip_prefix('/')?;
    let sound = |part: &str| !part.is_empty() && part != "." && part != "..";
    let clean = !rest.contains(|c: char| c.is_control() || c == '\\');
    (path.len() <= MOST && clean && rest.split('/').all(sound)).then_some(rest)
}

/// Whether the printer can print it, by its name.
pub(super) fn is_print(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let end =
        name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, end)| end.to_ascii_lowercase());
    matches!(end.as_deref(), Some("gcode" | "gc" | "g" | "gco"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_its_storage() {
        for (path, expected) in [
            ("/local/a.gcode", Some("a.gcode")),
            ("/local/sub/Würfel 2.gcode", Some("sub/Würfel 2.gcode")),
            ("/local/..a/b..gcode", Some("..a/b..gcode")),
            ("/local", None),
            ("/local/", None),
            ("local/a.gcode", None),
            ("/localx/a.gcode", None),
            ("/usb/a.gcode", None),
            ("/local//a.gcode", None),
            ("/local/../a.gcode", None),
            ("/local/a/../../b", None),
            ("/local/./a", None),
            ("/local/a\0b", None),
            ("/local/a\nb", None),
            ("/local/a\\..\\b", None),
            ("", None),
        ] {
            assert_eq!(below(path, "local"), expected, "{path:?}");
        }
        assert_eq!(below(&format!("/local/{}", "a".repeat(2000)), "local"), None);
    }

    #[test]
    fn what_prints_is_known_by_its_name() {
        for (path, expected) in [
            ("a.gcode", true),
            ("b/a.GCO", true),
            ("a.g", true),
            ("a.gc", true),
            ("a.bgcode", false),
            ("a.txt", false),
            ("a.gcode/b", false),
            (".gcode", false),
            ("gcode", false),
        ] {
            assert_eq!(is_print(path), expected, "{path}");
        }
    }
}
