//! What the settings say, and what is wrong with them.

use super::Finding;
use crate::settings::{ALL_KEYS, BridgeName, ExtendedCfg, Key, Paths, Settings};
use crate::{whole_file, worker};
use std::path::Path;

/// No file of settings is larger.
const MOST: u64 = 256 * 1024;

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for instance in settings.instances.iter().filter(|instance| instance.enabled.value) {
        findings.push(Finding::ok(format!(
            "{} is switched on ({})",
            instance.name(),
            instance.enabled.origin
        )));
    }
    if findings.is_empty() && !settings.serves_alone {
        findings.push(nothing_on(&settings.paths));
    }
    for problem in &settings.problems {
        findings.push(Finding::fail(&problem.what, &problem.remedy));
    }
    let inside = |text: &String| Finding::fail_with_remedy_inside(text, "correct that setting");
    findings.extend(worker::check(settings).iter().map(inside));
    findings.extend(unread(&settings.paths));
    findings
}

/// Upgrades, and the recovery by a USB stick, set the printer's settings back; what is stored for a bridge stays.
fn nothing_on(paths: &Paths) -> Finding {
    let mut remedy =
        "switch one on: on the page /firmware-config/ (in advanced mode), or with `enabled: true` in its \
                      section of extended2.cfg"
            .to_owned();
    let stored =
        |key: &&Key| key.secret && key.bridge().is_some() && paths.data.join(key.file_name()).exists();
    let Some(key) = ALL_KEYS.iter().find(stored) else {
        return Finding::warn("no bridge is switched on, so nothing of ours runs", remedy);
    };
    let kept = std::fs::read_dir(&paths.config).ok().and_then(|mut entries| {
        entries.find_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().to_str()?.starts_with("extended.backup").then(|| entry.path())
        })
    });
    if let Some(kept) = kept {
        remedy.push_str(&format!("; former settings are in {}", kept.display()));
    }
    let bridge = key.bridge().map(BridgeName::section).unwrap_or_default();
    Finding::warn(
        format!(
            "no bridge is switched on, though a secret of {bridge} is stored: an upgrade may have reset the settings"
        ),
        remedy,
    )
}

/// Newer firmware reads a file of another name, and what was written into the old one is off.
fn unread(paths: &Paths) -> Option<Finding> {
    let folder = paths.config.join("extended");
    let (new, old) = (folder.join("extended2.cfg"), folder.join("extended.cfg"));
    let read = |path: &Path| ExtendedCfg::parse(&whole_file::read_text(path, MOST).ok()?).ok();
    let (read_one, cfg) = (read(&new)?, read(&old)?);
    let ours = |section: &&str| {
        let kind = section.split(' ').next();
        let ours = BridgeName::ALL.map(BridgeName::section);
        let ours = kind == Some("octobridge") || ours.iter().any(|bridge| kind == Some(bridge));
        ours && !read_one.sections().any(|other| other == *section)
    };
    let section = cfg.sections().find(ours)?.to_owned();
    Some(Finding::warn(
        format!("[{section}] in {} is not read, since extended2.cfg is beside it", old.display()),
        "move it to extended2.cfg, then run `/etc/init.d/S66octoapp reload`; or delete it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;
    use std::fs::{create_dir_all, write};

    #[test]
    fn settings_that_an_upgrade_set_aside_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let (extended, data) = (dir.path().join("config/extended"), dir.path().join("octoapp"));
        create_dir_all(&extended).unwrap();
        create_dir_all(&data).unwrap();
        let named = dir.path().display().to_string();
        let environment: Environment = [("PRINTER_DATA".to_owned(), named)].into();
        let all = || format!("{:?}", examine(&Settings::load(None, &environment)));

        write(extended.join("extended.cfg"), "[web]\nfrontend: fluidd\n[telegram]\nenabled: false\n")
            .unwrap();
        assert!(
            all().contains("no bridge is switched on, so nothing") && !all().contains("not read"),
            "{}",
            all()
        );
        write(extended.join("extended2.cfg"), "[web]\nfrontend: fluidd\n").unwrap();
        assert!(all().contains("[telegram] in") && all().contains("move it to extended2.cfg"), "{}", all());
        write(extended.join("extended2.cfg"), "[telegram]\nenabled: false\n").unwrap();
        assert!(!all().contains("not read"), "{}", all());

        write(data.join("telegram_bot_token"), "1:secret").unwrap();
        assert!(all().contains("a secret of telegram is stored") && !all().contains("former"), "{}", all());
        create_dir_all(dir.path().join("config/extended.backup.2")).unwrap();
        assert!(all().contains("former settings are in") && all().contains("extended.backup.2"), "{}", all());
    }
}
