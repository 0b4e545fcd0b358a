//! Where the two orders of `scripts/` and `root/` give different results.
//!
//! Scripts that ran show it: both orders are trial and compared. Otherwise the texts of the scripts are searched for
//! paths that `root/` of the same overlay provides, which shows where to look and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::manifest::Change;
use crate::overlay::scripts::{self, SCRIPTS};
use crate::overlay::{Order, Overlay, OverlayError, root};

use super::model::from_root;

/// A path for which the order matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderRisk {
    /// The path, from the root on; none where the other order does not work at all.
    pub path: Option<String>,
    /// The overlays concerned.
    pub overlays: Vec<String>,
    /// Where it was found: a script of the overlay and its line; none where both orders were carried out.
    pub at: Option<String>,
    /// What differs, or may differ.
    pub problem: String,
}

/// The other one of the two.
pub(super) fn other(order: Order) -> Order {
    match order {
        Order::Classic => Order::Current,
        Order::Current => Order::Classic,
    }
}

/// The name of an order as the command line takes it.
pub(crate) fn name(order: Order) -> &'static str {
    match order {
        Order::Classic => "classic",
        Order::Current => "current",
    }
}

/// Whether any overlay has both, so that the order can matter.
pub(super) fn can_matter(overlays: &[Overlay]) -> Result<bool, OverlayError> {
    for overlay in overlays {
        if !scripts::find(overlay, SCRIPTS)?.is_empty() && !root::paths(overlay)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is different in the end, where both orders were carried out.
pub(super) fn found(order: Order, here: &[Change], there: &[Change]) -> Vec<OrderRisk> {
    let by_path = |list: &[Change]| -> BTreeMap<String, Change> {
        list.iter().map(|change| (change.path.clone(), change.clone())).collect()
    };
    let (here, there) = (by_path(here), by_path(there));
    let paths: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    let mut risks = Vec::new();
    for path in paths {
        let sides = (here.get(path), there.get(path));
        let [one, two] = [sides.0, sides.1].map(|change| change.map(result));
        if one == two {
            continue;
        }
        let mut overlays: Vec<String> = Vec::new();
        for name in [sides.0, sides.1].into_iter().flatten().flat_map(|change| &change.overlays) {
            if !overlays.contains(name) {
                overlays.push(name.clone());
            }
        }
        let told = |side: Option<&Change>| side.map_or("as in the base".to_owned(), told);
        let (mut one, mut two) = (told(sides.0), told(sides.1));
        if one == two {
            (one, two) = (format!("{one} of one content"), format!("{two} of another"));
        }
        let problem = format!("{}: {one}; {}: {two}", name(order), name(other(order)));
        risks.push(OrderRisk { path: Some(from_root(path)), overlays, at: None, problem });
    }
    risks
}

/// What is there in the end, whoever made it.
fn result(change: &Change) -> Change {
    Change { overlays: Vec::new(), ..change.clone() }
}

fn told(change: &Change) -> String {
    use crate::rootfs::snapshot::What;
    if change.what == What::Deleted {
        return "deleted".to_owned();
    }
    let owner = change.owner.as_deref().unwrap_or_default();
    let mode = change.mode.as_deref().unwrap_or_default();
    let size = change.size.map(|size| format!(", {}", crate::paint::bytes(size))).unwrap_or_default();
    let target = change.target.as_ref().map(|target| format!(", to {target}")).unwrap_or_default();
    format!("{mode} {owner}{size}{target}")
}

/// The risk that the other order does not work at all.
pub(super) fn fails(order: Order, message: &str) -> OrderRisk {
    let problem = format!("with --order {} it fails: {message}", name(order));
    OrderRisk { path: None, overlays: Vec::new(), at: None, problem }
}

/// Where scripts name a path that `root/` of their overlay provides.
pub(super) fn named(overlays: &[Overlay]) -> Result<Vec<OrderRisk>, OverlayError> {
    let mut risks = Vec::new();
    for overlay in overlays {
        let names = scripts::find(overlay, SCRIPTS)?;
        let provided = if names.is_empty() { Vec::new() } else { files(overlay)? };
        for script in names {
            let place = Path::new(SCRIPTS).join(script);
            let text = fs::read(overlay.folder.join(&place)).map_err(|e| overlay.system(&place, e))?;
            for (line, path) in mentions(&String::from_utf8_lossy(&text), &provided) {
                risks.push(OrderRisk {
                    path: Some(from_root(path)),
                    overlays: vec![overlay.name.clone()],
                    at: Some(format!("{}, line {line}", place.display())),
                    problem: "a script and root/ may both make it: classic keeps root/'s, current what the \
                              script makes of it"
                        .to_owned(),
                });
            }
        }
    }
    Ok(risks)
}

/// The files and links of `root/`.
fn files(overlay: &Overlay) -> Result<Vec<String>, OverlayError> {
    let mut files = Vec::new();
    for path in root::paths(overlay)? {
        let place = overlay.folder.join(root::ROOT).join(&path);
        let metadata = fs::symlink_metadata(&place).map_err(|e| overlay.system(&place, e))?;
        if !metadata.is_dir() {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}

/// The first line of a script that names each path, comments aside.
pub(crate) fn mentions<'a>(text: &str, paths: &'a [String]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for path in paths {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
        if let Some((number, _)) = lines.find(|(_, line)| names(line, path)) {
            found.push((number + 1, path.as_str()));
        }
    }
    found.sort();
    found
}

/// Whether a line names a path of the root, as `$1/etc/x`, `"$ROOTFS_DIR"/etc/x` or, after `cd "$1"`, `etc/x`.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + path.len()..).unwrap_or_default();
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || "_-./".contains(c));
        let word = before.rsplit(|c: char| c.is_whitespace() || "=><|&;(`".contains(c)).next();
        let word = word.unwrap_or_default().trim_start_matches(['"', '\'']);
        // Directly, or below something that only the shell knows.
        ends && (word.is_empty() || (word.contains('$') && word.ends_with('/')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_below_the_root_and_nowhere_else() {
        for (line, expected) in [
            ("chmod 755 $1/etc/init.d/S50x", true),
            ("chmod 755 \"$1/etc/init.d/S50x\"", true),
            ("chmod 755 \"$ROOTFS_DIR\"/etc/init.d/S50x", true),
            ("echo x >>${ROOTFS_DIR}/etc/init.d/S50x;", true),
            ("cd \"$1\"; sed -i s/a/b/ etc/init.d/S50x", true),
            ("sed -i s/a/b/ 'etc/init.d/S50x'", true),
            ("chmod 755 /opt/etc/init.d/S50x", false),
            ("chmod 755 opt/etc/init.d/S50x", false),
            ("chmod 755 $1/etc/init.d/S50x.orig", false),
            ("chmod 755 $1/etc/init.d/S50xy", false),
            ("ls $1/etc/init.d/", false),
            ("", false),
        ] {
            assert_eq!(names(line, "etc/init.d/S50x"), expected, "{line}");
        }
    }

    #[test]
    fn each_path_is_told_once_with_its_line() {
        let text = "#!/bin/sh\n# see $1/etc/a\necho x >$1/etc/b\nrm $1/etc/a $1/etc/b\n";
        let paths = ["etc/a", "etc/b", "etc/c"].map(str::to_owned);
        assert_eq!(mentions(text, &paths), [(3, "etc/b"), (4, "etc/a")]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(line in ".{0,40}", path in ".{1,5}") {
            names(&line, &path);
            names(&format!("{line}{path}{line}"), &path);
        }
    }
}
