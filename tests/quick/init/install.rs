//! `scripts/01-install-octobridge.sh` on roots of each generation, in both orders of the builders. Runs under
//! fakeroot, so that owners are real to it whoever tests.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::rig::{Outcome, finish, repository};

/// What /bin/sh is on the machines of builders. (BusyBox brings its own `chown`, past fakeroot.)
const SHELLS: [&str; 2] = ["dash", "bash"];

const JSON: &str = "octoapp-service-config.json";

/// When a builder copies root/.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// After the scripts.
    Classic,
    /// Before the scripts.
    Current,
}

const ORDERS: [Order; 2] = [Order::Classic, Order::Current];

/// An overlay as it is laid out for a builder, and an unpacked root, in paths that need quoting.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(extra: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("a bench * ").tempdir().unwrap();
        let bench = Self { folder };
        let overlay = bench.overlay();
        fs::create_dir_all(&overlay).unwrap();
        copy(&repository("overlay"), &overlay.join("root"));
        copy(&repository("scripts"), &overlay.join("scripts"));
        for folder in ["etc/init.d", "home/lava/bin", "usr/local/share", "usr/local/bin"] {
            fs::create_dir_all(bench.root().join(folder)).unwrap();
        }
        for folder in extra {
            fs::create_dir_all(bench.root().join(folder)).unwrap();
        }
        bench
    }

    fn overlay(&self) -> PathBuf {
        self.folder.path().join("53-octoapp-moonraker-plugin")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("unpacked root")
    }

    /// Runs a piece of shell with the overlay as `$1`, the root as `$2` and the step itself as `$3`, as a builder
    /// does; the listing of the root at its end, with owners as fakeroot sees them, goes to a file.
    fn build(&self, shell: &str, steps: &str) -> Outcome {
        let script = format!(
            "set -e
            umask 022
            chown -R 0:0 \"$2\"
            chown -R 1000:1000 \"$2/home/lava\"
            step() {{ {shell} \"$1/scripts/01-install-octobridge.sh\" \"$2\"; }}
            copy() {{ cp -r \"$1/root/.\" \"$2/\"; }}
            {steps}
            cd \"$2\"
            find . -printf '%P %y %m %U:%G\\n' | sort >../listing"
        );
        let mut command = Command::new("fakeroot");
        command.args(["/bin/sh", "-c", &script, "sh"]).arg(self.overlay()).arg(self.root());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("CREATE_FIRMWARE", "1");
        finish(command)
    }

    fn build_in(&self, shell: &str, order: Order) -> Outcome {
        self.build(
            shell,
            match order {
                Order::Classic => "step \"$@\"; copy \"$@\"",
                Order::Current => "copy \"$@\"; step \"$@\"",
            },
        )
    }

    /// Path to type, mode and owner.
    fn listing(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.folder.path().join("listing")).unwrap();
        text.lines()
            .map(|line| {
                let (path, rest) = line.split_once(' ').unwrap();
                (path.to_owned(), rest.to_owned())
            })
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

/// The folders by which the generations of the community's firmware differ.
const GENERATIONS: [(&str, &[&str]); 3] = [
    ("stock", &[]),
    ("v1.0", &["home/lava/default-config/extended"]),
    (
        "v1.1 and later",
        &["usr/local/share/firmware-config/extended", "usr/local/share/firmware-config/functions"],
    ),
];

#[test]
fn both_orders_give_the_same_root_and_a_second_run_changes_nothing() {
    for shell in SHELLS {
        for (generation, folders) in GENERATIONS {
            let mut listings = Vec::new();
            for order in ORDERS {
                let bench = Bench::new(folders);
                let outcome = bench.build_in(shell, order);
                assert_eq!(outcome.code, 0, "{generation} {order:?} {outcome:?}");
                listings.push(bench.listing());
                let contents = contents(&bench.root());
                let outcome = bench.build(shell, "step \"$@\"; copy \"$@\"; step \"$@\"");
                assert_eq!(outcome.code, 0, "{outcome:?}");
                assert_eq!(bench.listing(), listings[0], "{generation} {order:?} twice");
                assert_eq!(self::contents(&bench.root()), contents);
            }
            assert_eq!(listings[0], listings[1], "{generation}");
        }
    }
}

/// Every file's path and content.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn each_generation_gets_its_defaults_where_it_looks_for_them() {
    let v1_0 = format!("home/lava/default-config/extended/octoapp/{JSON}");
    let later = format!("usr/local/share/firmware-config/extended/octoapp/{JSON}");
    let switches = "usr/local/share/firmware-config/functions/53_octobridge.yaml";
    let own = format!("usr/local/share/octobridge/{JSON}");
    for (generation, folders) in GENERATIONS {
        let bench = Bench::new(folders);
        assert_eq!(bench.build_in("dash", Order::Classic).code, 0);
        let listing = bench.listing();
        let at = |path: &str| listing.get(path).map(String::as_str);
        assert_eq!(at("home/lava/bin/octoapp.sh"), Some("f 755 1000:1000"), "{generation}");
        assert_eq!(at("etc/init.d/S66octoapp"), Some("f 755 0:0"), "{generation}");
        assert_eq!(at("usr/local/share/octobridge/switch"), Some("f 755 0:0"), "{generation}");
        assert_eq!(at(&own), Some("f 644 0:0"), "{generation}");
        let shipped = fs::read(bench.root().join(&own)).unwrap();
        for (path, there, owner) in [
            (v1_0.as_str(), "v1.0", "1000:1000"),
            (&later, "v1.1 and later", "0:0"),
            (switches, "v1.1 and later", "0:0"),
        ] {
            let expected = (generation == there).then(|| format!("f 644 {owner}"));
            assert_eq!(at(path), expected.as_deref(), "{generation} {path}");
            if generation == there && path.ends_with(".json") {
                assert_eq!(fs::read(bench.root().join(path)).unwrap(), shipped);
            }
        }
        if generation == "v1.0" {
            assert_eq!(at("home/lava/default-config/extended/octoapp"), Some("d 755 1000:1000"));
        }
        // Nothing where the printer's own data is mounted, and no settings file that belongs to another overlay.
        assert!(!listing.keys().any(|path| path.contains("printer_data") || path.contains("extended2.cfg")));
    }
}

/// nginx does not start at all with a name in its settings that it does not know.
#[test]
fn the_web_server_is_touched_only_where_it_can_ask_moonraker() {
    let place = "etc/nginx/fluidd.d/octobridge.conf";
    for (conf, expected) in [
        ("upstream apiserver {\n    server 127.0.0.1:7125;\n}\n", Some("f 644 0:0")),
        ("  upstream   apiserver{ server 127.0.0.1:7125; }\n", Some("f 644 0:0")),
        ("upstream apiserver2 { server 127.0.0.1:7125; }\n", None),
        ("# upstream apiserver {\n", None),
        ("", None),
    ] {
        for order in ORDERS {
            let bench = Bench::new(&["etc/nginx/fluidd.d", "etc/nginx/conf.d"]);
            fs::write(bench.root().join("etc/nginx/conf.d/upstreams.conf"), conf).unwrap();
            let outcome = bench.build_in("dash", order);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            let listing = bench.listing();
            assert_eq!(listing.get(place).map(String::as_str), expected, "{conf:?} {order:?}");
        }
    }
    let bench = Bench::new(&[]);
    assert_eq!(bench.build_in("dash", Order::Classic).code, 0);
    assert!(!bench.listing().contains_key(place), "a base without such a folder");
}

#[test]
fn it_refuses_a_root_that_has_another_of_its_kind() {
    for shell in SHELLS {
        for (path, says, orders) in [
            ("etc/init.d/S66obico", "already has etc/init.d/S66obico", &ORDERS[..]),
            // Copied over before the script can see it in the current order; the traces below show there.
            ("etc/init.d/S66octoapp", "S66octoapp that is not Octobridge's", &[Order::Classic]),
            ("home/lava/octoapp/setup.py", "already has home/lava/octoapp", &ORDERS),
            ("usr/local/bin/octoapp.sh", "already has usr/local/bin/octoapp.sh", &ORDERS),
        ] {
            for order in orders {
                let bench = Bench::new(&["home/lava/octoapp-not"]);
                let place = bench.root().join(path);
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(&place, "#!/bin/sh\necho a service\n").unwrap();
                let outcome = bench.build_in(shell, *order);
                assert_ne!(outcome.code, 0, "{path} {order:?} {outcome:?}");
                assert!(outcome.stderr.contains(says), "{path} {order:?} {outcome:?}");
                assert_eq!(fs::read_to_string(place).unwrap(), "#!/bin/sh\necho a service\n");
            }
        }
    }
}

#[test]
fn it_follows_no_link_out_of_the_root() {
    for (link, is_file) in [
        ("usr/local/share/firmware-config", false),
        ("home/lava/default-config", false),
        ("home/lava/bin/octoapp.sh", true),
        ("usr/local/share/firmware-config/functions/53_octobridge.yaml", true),
    ] {
        let bench = Bench::new(if is_file { GENERATIONS[2].1 } else { &[] });
        let outside = bench.folder.path().join("outside");
        let place = bench.root().join(link);
        if is_file {
            fs::write(&outside, "precious").unwrap();
        } else {
            fs::create_dir_all(outside.join("extended")).unwrap();
            fs::create_dir_all(outside.join("functions")).unwrap();
        }
        symlink(&outside, &place).unwrap();
        let outcome = bench.build("dash", "step \"$@\"");
        if is_file {
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
            assert!(fs::symlink_metadata(&place).unwrap().is_file());
        } else {
            assert_ne!(outcome.code, 0, "{outcome:?}");
            assert!(outcome.stderr.contains("leads out of the root"), "{outcome:?}");
            for folder in ["extended", "functions"] {
                assert_eq!(fs::read_dir(outside.join(folder)).unwrap().count(), 0);
            }
        }
    }
}

#[test]
fn it_runs_only_for_a_builder_and_on_a_root() {
    let bench = Bench::new(&[]);
    for (steps, says) in [
        ("unset CREATE_FIRMWARE; step \"$@\"", "CREATE_FIRMWARE"),
        ("CREATE_FIRMWARE=; export CREATE_FIRMWARE; step \"$@\"", "CREATE_FIRMWARE"),
        ("sh \"$1/scripts/01-install-octobridge.sh\"", "usage"),
        ("sh \"$1/scripts/01-install-octobridge.sh\" \"$2\" more", "usage"),
        ("step \"$1\" /nowhere", "not an unpacked root"),
        ("step \"$1\" /", "running system"),
        ("rm -r \"$2/home/lava/bin\"; step \"$@\"", "no home/lava/bin"),
    ] {
        let outcome = bench.build("bash", steps);
        assert_ne!(outcome.code, 0, "{steps} {outcome:?}");
        assert!(outcome.stderr.contains(says), "{steps} {outcome:?}");
    }
}
