//! What is shipped is well formed: shell, JSON, YAML, and paths that can work on a printer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::rig::{Rig, Shell, busybox, repository, shipped};

/// Everything below a folder of the repository, links not followed; nothing where there is no such folder.
fn everything_below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// Every shell script that is shipped or run by a builder.
fn shell_scripts() -> Vec<PathBuf> {
    let mut found: Vec<_> = ["overlay", "scripts", "pre-scripts"]
        .into_iter()
        .flat_map(everything_below)
        .filter(|path| path.is_file())
        .filter(|path| {
            let text = fs::read(path).unwrap();
            path.extension().is_some_and(|extension| extension == "sh") || text.starts_with(b"#!")
        })
        .collect();
    found.sort();
    for known in ["overlay/etc/init.d/S66octoapp", "scripts/01-install-octobridge.sh"] {
        assert!(found.contains(&repository(known)), "{known} was not found");
    }
    found
}

#[test]
fn every_shell_script_is_clean_executable_and_has_unix_line_ends() {
    for script in shell_scripts() {
        let text = fs::read_to_string(&script).unwrap();
        let name = script.display();
        assert!(!text.contains('\r'), "{name} has a carriage return");
        assert!(
            fs::metadata(&script).unwrap().permissions().mode() & 0o111 == 0o111,
            "{name} is not executable"
        );
        let output = Command::new("shellcheck").arg(&script).output().expect("apt install shellcheck");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        if script.starts_with(repository("overlay")) {
            // What the printer's /bin/sh is we do not know.
            assert!(text.starts_with("#!/bin/sh\n"), "{name} asks for more than a POSIX shell");
            for shell in [vec![busybox().to_str().unwrap(), "ash", "-n"], vec!["/usr/bin/dash", "-n"]] {
                let status = Command::new(shell[0]).args(&shell[1..]).arg(&script).status().unwrap();
                assert!(status.success(), "{name} under {shell:?}");
            }
        }
    }
}

#[test]
fn the_tree_holds_nothing_that_cannot_work_on_the_printer() {
    let overlay = repository("overlay");
    for path in everything_below("overlay") {
        let inside = path.strip_prefix(&overlay).unwrap();
        assert!(!path.is_symlink(), "{} is a link", inside.display());
        // printer_data is a link in the root, and the others are mounted over.
        for hidden in ["home/lava/printer_data", "oem", "userdata", "tmp", "var", "run", "mnt"] {
            assert!(!inside.starts_with(hidden), "{} would not be seen on the printer", inside.display());
        }
        let name = inside.file_name().unwrap().to_str().unwrap();
        assert!(!name.starts_with("extended"), "{name} belongs to another overlay");
        assert!(!name.ends_with('~') && !name.starts_with('.'), "{name} is an editor's");
    }
}

#[test]
fn the_bootstrap_has_the_seeds_keys() {
    let text = fs::read_to_string(shipped("usr/local/share/octobridge/octoapp-service-config.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "ServiceName",
        "VirtualEnvPath",
        "RepoRootFolder",
        "LocalFileStoragePath",
        "ConfigFolder",
        "LogFolder",
        "IsCompanion",
        "MoonrakerConfigFile",
    ];
    expected.sort_unstable();
    let mut sorted = keys;
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(json["LocalFileStoragePath"], "/home/lava/printer_data/octoapp");
    assert_eq!(json["LogFolder"], "/home/lava/printer_data/logs");
    assert_eq!(json["IsCompanion"], false);
}

fn switches() -> Yaml {
    let path = shipped("usr/local/share/octobridge/firmware-config/53_octobridge.yaml");
    let mut documents = YamlLoader::load_from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// A command of the page as words; the page takes nothing but text.
fn words(command: &Yaml) -> Vec<&str> {
    command.as_vec().expect("a list").iter().map(|word| word.as_str().expect("text, so quoted")).collect()
}

#[test]
fn the_page_has_a_switch_per_bridge_that_the_switch_script_takes() {
    let page = switches();
    let items = page["settings"]["remote_access"]["items"].as_hash().unwrap();
    assert_eq!(items.len(), 3);
    let rig = Rig::new(Shell::Dash);
    for bridge in ["octoapp", "prusa-connect", "telegram"] {
        let item = &items[&Yaml::String(format!("octobridge-{bridge}"))];
        assert!(item["label"].as_str().is_some() && item["description"].as_str().is_some());
        assert_eq!(item["default"].as_str(), Some("false"), "{bridge} is off by default");
        assert_eq!(words(&item["get_cmd"]), ["/usr/local/share/octobridge/switch", bridge, "get"]);
        let options = item["options"].as_hash().unwrap();
        assert_eq!(options.len(), 2);
        for wanted in ["true", "false"] {
            let option = &options[&Yaml::String(wanted.to_owned())];
            assert!(option["label"].as_str().is_some());
            assert_eq!(words(&option["cmd"]), ["/usr/local/share/octobridge/switch", bridge, wanted]);
        }
        // Not a usage error: the names of both files agree.
        let outcome = rig.script(&shipped("usr/local/share/octobridge/switch"), &[bridge, "get"]);
        assert_ne!(outcome.code, 2, "{outcome:?}");
    }
}

#[test]
fn the_page_has_a_switch_for_the_link_that_the_script_takes() {
    let page = switches();
    let items = page["settings"]["web"]["items"].as_hash().unwrap();
    assert_eq!(items.len(), 1);
    let item = &items[&Yaml::String("octobridge-mainsail-link".to_owned())];
    assert!(item["label"].as_str().is_some() && item["description"].as_str().is_some());
    assert_eq!(item["default"].as_str(), Some("false"), "the file is its owner's");
    let script = "/usr/local/share/octobridge/mainsail-link";
    assert_eq!(words(&item["get_cmd"]), [script, "get"]);
    for wanted in ["true", "false"] {
        assert!(item["options"][wanted]["label"].as_str().is_some());
        assert_eq!(words(&item["options"][wanted]["cmd"]), [script, wanted]);
    }
}

/// The page reads all four fields of a link, and shows one without a condition always.
#[test]
fn the_page_leads_to_where_the_web_server_has_the_set_up_page() {
    let page = switches();
    let links = page["links"].as_hash().unwrap();
    assert_eq!(links.len(), 1);
    let link = &page["links"]["octobridge"];
    assert!(link["label"].as_str().is_some() && link["icon"].as_str().is_some());
    assert!(link.as_hash().unwrap()[&Yaml::String("condition".to_owned())].is_null());
    let url = link["url"].as_str().unwrap();
    let conf = fs::read_to_string(shipped("usr/local/share/octobridge/nginx/octobridge.conf")).unwrap();
    assert!(conf.contains(&format!("location = {url} {{")), "{url}");
    // Mainsail's entry leads there, too.
    let script = fs::read_to_string(shipped("usr/local/share/octobridge/mainsail-link")).unwrap();
    assert!(script.contains(&format!("\"href\": \"{url}\"")), "{url}");
}

/// The page runs these with `sh -c`: it leaves the block out where the condition fails, and a line whose command fails.
#[test]
fn the_status_is_shown_while_a_bridge_is_on() {
    let page = switches();
    let status = &page["status"]["octobridge"];
    let folder = tempfile::tempdir().unwrap();
    let service = folder.path().join("S66octoapp");
    let run = |command: &Yaml, code: i32| {
        let said = format!("#!/bin/sh\necho \"octobridge: says $1\"\necho 'octoapp: on' >&2\nexit {code}\n");
        fs::write(&service, said).unwrap();
        fs::set_permissions(&service, fs::Permissions::from_mode(0o755)).unwrap();
        let command = command.as_str().unwrap().replace("/etc/init.d/S66octoapp", service.to_str().unwrap());
        let outputs =
            [vec!["/usr/bin/dash", "-c"], vec![busybox().to_str().unwrap(), "ash", "-c"]].map(|shell| {
                let output = Command::new(shell[0]).args(&shell[1..]).arg(&command).output().unwrap();
                (output.status.success(), String::from_utf8(output.stdout).unwrap())
            });
        assert_eq!(outputs[0], outputs[1]);
        outputs[0].clone()
    };
    // Running, dead though it should run, and nothing switched on.
    for (code, shown) in [(0, true), (1, true), (3, false)] {
        assert_eq!(run(&status["if_cmd"], code), (shown, String::new()), "{code}");
    }
    for code in [0, 1] {
        assert_eq!(run(&status["items"][0]["cmd"], code), (true, "octobridge: says status\n".to_owned()));
    }
}

#[test]
fn every_program_that_the_page_names_is_shipped() {
    let path = shipped("usr/local/share/octobridge/firmware-config/53_octobridge.yaml");
    let text = fs::read_to_string(path).unwrap();
    let named: Vec<_> = text
        .split(|letter: char| letter.is_whitespace() || "[],;\"".contains(letter))
        // The set-up page's address is none of a program.
        .filter(|word| word.starts_with('/') && !word.starts_with("/dev/") && *word != "/octobridge/")
        .collect();
    assert!(named.len() >= 9, "{named:?}");
    for program in named {
        let place = shipped(program.trim_start_matches('/'));
        let mode =
            fs::metadata(&place).unwrap_or_else(|error| panic!("{program}: {error}")).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{program} is not executable");
    }
    let status = &switches()["status"]["octobridge"];
    assert!(status["title"].as_str().is_some());
    for item in status["items"].as_vec().unwrap() {
        assert!(item["label"].as_str().is_some() && item["cmd"].as_str().is_some());
    }
}

#[test]
fn the_scripts_use_no_path_twice() {
    // The places that the init script and the launcher share must be the same in both.
    let texts = [
        "etc/init.d/S66octoapp",
        "home/lava/bin/octoapp.sh",
        "usr/local/share/octobridge/switch",
        "usr/local/share/octobridge/mainsail-link",
    ]
    .map(|path| fs::read_to_string(shipped(path)).unwrap());
    let mut defaults = std::collections::BTreeMap::<String, String>::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let Some((_, rest)) = line.split_once("${OCTOBRIDGE_") else { continue };
        let Some((name, default)) = rest.split_once(":-") else { continue };
        let default = default.trim_end_matches('}').to_owned();
        let before = defaults.insert(name.to_owned(), default.clone());
        assert!(before.is_none() || before == Some(default), "OCTOBRIDGE_{name} has two defaults");
    }
    assert_eq!(defaults["PROGRAM"], "/usr/local/bin/octobridge");
    assert_eq!(defaults["LAUNCHER"], "/home/lava/bin/octoapp.sh");
    assert_eq!(defaults["PID_FILE"], "/var/run/octoapp.pid");
    assert_eq!(defaults["RUN_DIR"], "/var/run/octobridge");
    assert_eq!(defaults["SERVICE"], "/etc/init.d/S66octoapp");
    assert!(Path::new(&defaults["CONFIG_DIR"]).starts_with(&defaults["PRINTER_DATA"]));
}
