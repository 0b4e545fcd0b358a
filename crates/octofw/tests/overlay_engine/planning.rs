//! `octofw plan`, `list` and `explain` as a person calls them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use octofw::standin::container::{ContainerOptions, write_container};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{OCTOFW, Scribe, base};

/// A folder with a base in which octofw is called.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) overlays: Vec<String>,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("base.squashfs"), base()).unwrap();
        write_container(&at("base.squashfs"), &ContainerOptions::default(), &at("base.bin")).unwrap();
        fs::remove_file(at("base.squashfs")).unwrap();
        fs::create_dir(at("tmp")).unwrap();
        Self { folder, overlays: Vec::new() }
    }

    pub(crate) fn overlay(&mut self, name: &str, fill: impl FnOnce(&Scribe)) -> &mut Self {
        let path = self.path("overlays").join(name);
        fs::create_dir_all(&path).unwrap();
        fill(&Scribe(path));
        self.overlays.push(format!("overlays/{name}"));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A call with a cache of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(OCTOFW);
        command.args(arguments).current_dir(self.folder.path()).env("TMPDIR", self.path("tmp"));
        command.env("OCTOFW_CACHE", self.path("cache")).env_remove("OCTOFW_CACHE_SIZE");
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("GIT_VERSION");
        command
    }

    pub(crate) fn octofw(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command on the base with all overlays.
    pub(crate) fn on_base(&self, command: &[&str], more: &[&str]) -> Ended {
        let mut arguments = [command, &["--base", "base.bin"], more].concat();
        for overlay in &self.overlays {
            arguments.extend(["--overlay", overlay]);
        }
        self.octofw(&arguments)
    }

    pub(crate) fn plan(&self, more: &[&str]) -> Value {
        json_of(&self.on_base(&["plan", "--json"], more))
    }

    pub(crate) fn build(&self, more: &[&str]) -> Ended {
        let tools = ["--tool", "rustc=1", "--tool", "aarch64-linux-gnu-gcc=1", "--quiet"];
        self.on_base(&["build", "--out", "made.bin"], &[&tools[..], more].concat())
    }

    fn explain(&self, path: &str, more: &[&str]) -> Value {
        json_of(&self.on_base(&["explain", path, "--json"], more))
    }
}

pub(crate) fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).expect(&ended.err)
}

fn paths(plan: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    plan["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| (text(&path["path"]), text(&path["effect"])))
        .collect()
}

fn owned(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

const PATCH: &str = "--- a/config\n+++ b/config\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

/// Two overlays that do one thing of each kind, and meet at one path.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.overlay("01-one", |o| {
        o.file("root/etc/new", "new\n")
            .file("root/etc/both", "1\n")
            .file("root/etc/to-file", "through the link\n")
            .file("patches/etc/a.patch", PATCH)
            .file(
                "patches/gone.patch",
                "--- a/etc/init.d/S50x\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n",
            )
            .file("owners", "# who\nbin/su 4750 0 33\netc/new 0600 1000 1000\n");
    });
    desk.overlay("02-two", |o| {
        o.file("root/etc/both", "22\n").file("root/etc/passwd", "root:x:0:0\n");
    });
    desk
}

#[test]
fn a_plan_tells_each_path_with_its_overlay_and_what_changes() {
    let desk = desk();
    let plan = desk.plan(&[]);
    let expected = [
        ("/bin/su", "attributes"),
        ("/etc/both", "added"),
        ("/etc/config", "patched"),
        // Its only file goes, and patch takes the folder with it.
        ("/etc/init.d", "deleted"),
        ("/etc/init.d/S50x", "deleted"),
        ("/etc/new", "added"),
        ("/usr/share/target", "replaced"),
    ];
    assert_eq!(paths(&plan), owned(&expected));
    let by = |number: usize| {
        let steps = plan["paths"][number]["steps"].as_array().unwrap().clone();
        steps
            .iter()
            .map(|step| format!("{} {} {}", step["overlay"], step["part"], step["source"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(by(0), ["01-one owners owners"]);
    assert_eq!(by(1), ["01-one root root/etc/both", "02-two root root/etc/both"]);
    assert_eq!(by(2), ["01-one patches patches/etc/a.patch"]);
    assert_eq!(by(3), ["01-one patches patches/gone.patch"]);
    assert_eq!(by(4), ["01-one patches patches/gone.patch"]);
    assert_eq!(by(5), ["01-one root root/etc/new", "01-one owners owners"]);
    assert_eq!(by(6), ["01-one root root/etc/to-file"]);

    let side = |number: usize, side: &str| {
        let state = &plan["paths"][number][side];
        format!("{} {} {} {}", state["kind"], state["mode"], state["owner"], state["size"]).replace('"', "")
    };
    assert_eq!(
        (side(0, "before"), side(0, "after")),
        ("file 4755 0:0 200000".into(), "file 4750 0:33 200000".into())
    );
    assert_eq!(
        (side(2, "before"), side(2, "after")),
        ("file 0640 0:33 45".into(), "file 0640 0:33 43".into())
    );
    assert_eq!(plan["paths"][4]["after"], Value::Null);
    assert_eq!(
        (plan["paths"][5]["before"].clone(), side(5, "after")),
        (Value::Null, "file 0600 1000:1000 4".into())
    );
    assert_eq!(
        (side(6, "before"), side(6, "after")),
        ("file 0600 33:33 7".into(), "file 0600 33:33 17".into())
    );

    let conflicts = plan["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0]["path"], "/etc/both");
    assert_eq!(
        (&plan["schema"], &plan["order_risks"], &plan["not_known"]),
        (&json!(1), &json!([]), &json!([]))
    );
    assert_eq!(
        plan["overlays"][0]["effects"],
        json!({"added": 2, "replaced": 1, "patched": 1, "deleted": 2, "attributes": 1})
    );
    assert_eq!(plan["overlays"][1]["effects"], json!({"replaced": 1}));

    // An image, a folder, a state: nothing is left of it.
    assert_eq!(fs::read_dir(desk.path("tmp")).unwrap().count(), 0);
    let mut left: Vec<String> = fs::read_dir(desk.folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["base.bin", "overlays", "tmp"]);
}

#[test]
fn the_texts_are_for_people_and_plain_when_piped() {
    let desk = desk();
    let text = desk.on_base(&["plan"], &[]);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    for expected in [
        "Base base.bin, version 1.3.0.168\n",
        "Overlays (order current, root/ before scripts/)\n   1  01-one  2 added, 1 replaced, 1 patched, 2 deleted, 1 with another owner or mode\n",
        "   2  02-two  1 replaced\n",
        "Paths: 2 added, 1 replaced, 1 patched, 2 deleted, 1 with another owner or mode\n",
        "  ~ /bin/su            file 4755 -> 4750, 0:0 -> 0:33, 200000 B  [1 owners]\n",
        "  + /etc/both          file 0644 0:0, 3 B            [1 root, 2 root]\n",
        "  ~ /etc/config        file 0640, 0:33, 45 B -> 43 B  [1 patches]\n",
        "  - /etc/init.d/S50x   file 0755 0:0, 14 B           [1 patches]\n",
        "1 path of several overlays\n  ! /etc/both  01-one adds it (root/etc/both), 02-two replaces it (root/etc/both)\n",
        "  the slot system_a holds 314.6 MB: ",
    ] {
        assert!(text.out.contains(expected), "{expected:?} is not in:\n{}", text.out);
    }
    assert!(!text.out.contains('\x1b'), "{}", text.out);
    assert_eq!(
        desk.on_base(&["plan", "--strict"], &[]).code,
        Some(1),
        "a path of two overlays is a finding then"
    );

    let markdown = desk.on_base(&["plan", "--markdown"], &[]).out;
    for expected in [
        "### What the firmware image changes\n\nBase `base.bin`, version `1.3.0.168`, order current.",
        "| 1 | 01-one | 2 | 1 | 1 | 2 | 1 | ",
        "**Paths of several overlays**\n\n- `/etc/both`: 01-one adds it",
        "<details><summary>7 paths</summary>\n\n| path | | what | by |\n|---|---|---|---|\n| `/bin/su` |",
        "| `/etc/both` | added | file 0644 0:0, 3 B | 01-one, 02-two |\n",
    ] {
        assert!(markdown.contains(expected), "{expected:?} is not in:\n{markdown}");
    }
    assert!(!markdown.contains("\n\n\n"), "{markdown}");
}

/// A script: what it does is unknown until it runs, and the plan says so.
#[test]
fn scripts_are_unknown_until_they_run() {
    let mut desk = Desk::new();
    desk.overlay("01-one", |o| {
        o.file("root/etc/new", "new\n").script(
            "scripts/1.sh",
            "echo made >\"$1/etc/made\"\nchmod 700 \"$1/etc/new\"\nrm \"$1/etc/dangling\"",
        );
    });
    desk.overlay("02-two", |o| {
        o.file("patches/p.patch", "--- a/etc/made\n+++ b/etc/made\n@@ -1 +1 @@\n-made\n+patched\n");
    });
    let plan = desk.plan(&[]);
    assert_eq!(paths(&plan), owned(&[("/etc/new", "added")]));
    assert_eq!(
        plan["not_known"][0],
        json!({"overlay": "01-one", "path": "scripts/1.sh", "reason": "did not run"})
    );
    let gap = &plan["not_known"][1];
    assert_eq!((&gap["overlay"], &gap["path"]), (&json!("02-two"), &json!("patches")));
    let reason = gap["reason"].as_str().unwrap();
    assert!(
        reason.contains("without what the scripts make") && reason.contains("can't find file to patch"),
        "{reason}"
    );
    let risk = &plan["order_risks"][0];
    assert_eq!((&risk["path"], &risk["at"]), (&json!("/etc/new"), &json!("scripts/1.sh, line 4")));

    let plan = desk.plan(&["--run-scripts"]);
    let expected = [("/etc/dangling", "deleted"), ("/etc/made", "added"), ("/etc/new", "added")];
    assert_eq!(paths(&plan), owned(&expected));
    assert_eq!(plan["not_known"], json!([]));
    let steps: Vec<&str> = plan["paths"][2]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["effect"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["added", "attributes"]);
    // In the other order there is nothing yet that the script could chmod.
    let risks = plan["order_risks"].as_array().unwrap();
    assert_eq!((risks.len(), &risks[0]["path"]), (1, &Value::Null));
    let problem = risks[0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("with --order classic it fails: overlay 01-one: scripts/1.sh"), "{problem}");
}

/// Pre-scripts run in their overlay's turn, on the root that overlays before it left, and may make parts of it.
#[test]
fn pre_scripts_are_planned_as_they_are_built() {
    let mut desk = Desk::new();
    desk.overlay("01-one", |o| {
        o.file("root/etc/one", "one\n");
    });
    desk.overlay("02-two", |o| {
        o.script(
            "pre-scripts/1.sh",
            "here=$(dirname \"$0\")/..; mkdir -p $here/root/etc; echo made >$here/root/etc/made\ncp $ROOTFS_DIR/etc/one $1/etc/copy; chmod 600 $1/etc/copy",
        );
    });
    let plan = desk.plan(&[]);
    assert_eq!(paths(&plan), owned(&[("/etc/one", "added")]));
    let unknown = json!([{"overlay": "02-two", "path": "pre-scripts/1.sh", "reason": "did not run"}]);
    assert_eq!(plan["not_known"], unknown);
    assert!(!desk.path("overlays/02-two/root").exists());

    let plan = desk.plan(&["--run-scripts"]);
    let expected = [("/etc/copy", "added"), ("/etc/made", "added"), ("/etc/one", "added")];
    assert_eq!(paths(&plan), owned(&expected));
    let steps = |path: usize| &plan["paths"][path]["steps"][0];
    assert_eq!((&steps(0)["part"], &steps(0)["source"]), (&json!("pre-scripts"), &json!("pre-scripts/1.sh")));
    assert_eq!((&steps(1)["part"], &steps(1)["source"]), (&json!("root"), &json!("root/etc/made")));
    let told = desk.explain("/etc/copy", &["--run-scripts"]);
    assert_eq!(told["mode_from"], "from pre-scripts/1.sh of 02-two");

    assert_eq!(desk.build(&[]).code, Some(0));
    let told = json_of(&desk.octofw(&["explain", "/etc/copy", "--image", "made.bin", "--json"]));
    assert_eq!(told["after"], plan["paths"][0]["after"]);
}

#[test]
fn an_order_that_matters_is_found_where_scripts_run() {
    let mut desk = Desk::new();
    desk.overlay("01-one", |o| {
        o.file("root/etc/one", "root\n")
            .script("scripts/1.sh", "cd $1; echo ROOT >etc/one; chmod 600 etc/config");
    });
    let plan = desk.plan(&["--run-scripts"]);
    let risks = plan["order_risks"].as_array().unwrap();
    assert_eq!(risks.len(), 1, "{risks:?}");
    assert_eq!((&risks[0]["path"], &risks[0]["overlays"]), (&json!("/etc/one"), &json!(["01-one"])));
    let expected = "current: 0644 0:0, 5 B of one content; classic: 0644 0:0, 5 B of another";
    assert_eq!(risks[0]["problem"], expected);
    // Written in place with equal length: it is told as replaced all the same.
    let steps = &plan["paths"][1]["steps"];
    assert_eq!((&steps[0]["effect"], &steps[1]["effect"]), (&json!("added"), &json!("replaced")));
}

#[test]
fn a_dry_run_of_a_build_prints_the_plan_and_writes_nothing() {
    let desk = desk();
    let dry = desk.build(&["--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert_eq!(dry.out, desk.on_base(&["plan"], &[]).out);
    assert!(!desk.path("made.bin").exists() && !desk.path(".made.bin.octofw-state").exists());
    assert_eq!(json_of(&desk.build(&["--dry-run", "--json"])), desk.plan(&[]));
}

#[test]
fn what_a_build_would_refuse_a_plan_refuses_with_the_same_words() {
    let drifted = "--- a/etc/config\n+++ b/etc/config\n@@ -1,2 +1,2 @@\n ONE\n-two\n+2\n";
    let cases: [(&str, &str, i32); 4] = [
        ("patches/p.patch", drifted, 1),
        ("root/etc/to-folder/x", "behind a link", 1),
        ("root/oem/x", "mounted over", 1),
        ("owners", "etc/nothing 0644 0 0\n", 1),
    ];
    for (path, text, code) in cases {
        let mut desk = Desk::new();
        desk.overlay("01-test", |o| {
            o.file(path, text);
        });
        let (plan, built) = (desk.on_base(&["plan"], &[]), desk.build(&[]));
        let shown = |text: &str| {
            text.replace(&*desk.folder.path().to_string_lossy(), "").lines().next().unwrap().to_owned()
        };
        let cut = |text: &str| shown(text).split(" in /").next().unwrap().to_owned();
        assert_eq!((plan.code, cut(&plan.err)), (Some(code), cut(&built.err)), "{path}");
        assert!(plan.err.contains("overlay 01-test: "), "{}", plan.err);
        assert_eq!(plan.out, "");
    }
    // What only scripts can do wrong.
    let mut desk = Desk::new();
    desk.overlay("01-test", |o| {
        o.script("scripts/1.sh", "echo x >>\"$ROOTFS_IMG\"");
    });
    let (plan, built) = (desk.on_base(&["plan", "--run-scripts"], &[]), desk.build(&[]));
    assert!(plan.err.contains("a script changed rootfs.img in the build folder"), "{}", plan.err);
    assert_eq!((plan.code, plan.err), (built.code, built.err));
    let desk = Desk::new();
    assert_eq!(desk.octofw(&["plan", "--base", "base.bin", "--overlay", "none"]).code, Some(2));
    assert_eq!(desk.octofw(&["plan", "--base", "/bin/sh"]).code, Some(3));
    assert_eq!(desk.octofw(&["plan", "--base", "base.bin", "--json", "--markdown"]).code, Some(2));
}

#[test]
fn a_list_tells_what_overlays_hold_in_their_order() {
    let mut desk = desk();
    desk.overlay("03-three", |o| {
        o.script("pre-scripts/1.sh", "true").script("scripts/b.sh", "true").script("scripts/a.sh", "true");
        o.link("root/etc/l", "new").folder("root/opt/empty", 0o755).file_with_mode(
            "root/opt/tool",
            "x",
            0o755,
        );
    });
    let arguments = ["list", "--order", "classic", "--profile", "p", "--overlay"];
    let overlays: Vec<&str> = desk.overlays.iter().map(String::as_str).collect();
    let text = desk.octofw(&[&arguments[..], &overlays].concat());
    assert_eq!(text.code, Some(0), "{}", text.err);
    let expected = "3 overlays in this order (classic, profile p)
  1  01-one    2 patches, 3 files, 2 lines of owners, 23 B
           62 B  patches/etc/a.patch, changes /etc/config
           69 B  patches/gone.patch, changes /etc/init.d/S50x
            2 B  /etc/both
            4 B  /etc/new
           17 B  /etc/to-file
  2  02-two    2 files, 14 B
            3 B  /etc/both
           11 B  /etc/passwd
  3  03-three  1 pre-script, 2 scripts, 1 file, 1 link, 1 B
           22 B  pre-scripts/1.sh
           22 B  scripts/a.sh
           22 B  scripts/b.sh
                 /etc/l -> new
                 /opt/empty/
            1 B  /opt/tool, executable
";
    assert_eq!(text.out, expected);
    let short = desk.octofw(&[&["list", "--short", "--overlay"][..], &overlays].concat());
    assert_eq!(short.out.lines().count(), 4);

    let list = json_of(&desk.octofw(&[&["list", "--json", "--overlay"][..], &overlays].concat()));
    assert_eq!((&list["schema"], &list["order"]), (&json!(1), &json!("current")));
    assert_eq!(list["overlays"][0]["folder"], "overlays/01-one");
    assert_eq!(list["overlays"][2]["root"][0], json!({"path": "/etc", "kind": "directory"}));
    assert_eq!(
        list["overlays"][2]["root"][4],
        json!({"path": "/opt/tool", "kind": "file", "size": 1, "runs": true})
    );
}

#[test]
fn a_path_is_explained_from_the_base_to_the_result() {
    let mut desk = desk();
    let told = desk.explain("/etc/config", &[]);
    assert_eq!((&told["before"]["size"], &told["after"]["size"]), (&json!(45), &json!(43)));
    assert_eq!(told["steps"][0]["source"], "patches/etc/a.patch");
    assert_eq!(
        (&told["owner_from"], &told["mode_from"]),
        (&json!("that of the base"), &json!("that of the base"))
    );

    let told = desk.explain("etc/new", &[]);
    assert_eq!(told["owner_from"], "from owners, line 3, of 01-one");
    assert_eq!(told["mode_from"], "from owners, line 3, of 01-one");
    let told = desk.explain("/etc/both", &[]);
    assert_eq!(told["owner_from"], "0:0, as everything new");
    assert_eq!(told["mode_from"], "0644, since root/etc/both of 01-one is not executable");

    // Links on the way, and one at the end.
    let told = desk.explain("/etc/to-folder/target", &[]);
    assert_eq!(
        (&told["path"], &told["links"][0]["target"]),
        (&json!("/usr/share/target"), &json!("/usr/share"))
    );
    assert_eq!(told["steps"][0]["source"], "root/etc/to-file");
    assert_eq!(desk.explain("/etc/to-file", &[])["leads_to"], "/usr/share/target");
    assert_eq!(desk.explain("/etc/dangling", &[])["leads_to"], "nothing, where the image has nothing");

    let told = desk.explain("/etc/init.d/S50x", &[]);
    assert_eq!(
        (&told["there"], &told["after"], &told["before"]["size"]),
        (&json!(false), &Value::Null, &json!(14))
    );
    let told = desk.explain("/etc/passwd", &[]);
    assert_eq!(told["notes"], json!(["02-two has root/etc/passwd too, with what is there already"]));
    assert_eq!(desk.explain("/bin/sh", &[])["names"], json!(["/bin/busybox", "/bin/cat", "/bin/ls"]));
    let told = desk.explain("/etc", &[]);
    assert_eq!(told["below"]["changes"], json!([["01-one", 5], ["02-two", 1]]));

    let ended = desk.on_base(&["explain", "/etc/nwe"], &[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.out.contains("neither the base nor an overlay has it\n  like it   /etc/new\n"),
        "{}",
        ended.out
    );

    desk.overlay("03-three", |o| {
        o.script("scripts/1.sh", "chmod 600 $1/etc/init.d/S50x || true");
    });
    let told = desk.explain("/etc/init.d/S50x", &[]);
    let note = "03-three: scripts/1.sh, line 3 names it and did not run; --run-scripts shows what it does";
    assert_eq!(told["notes"], json!([note]));
}

#[test]
fn a_built_image_explains_itself_by_its_manifest() {
    let desk = desk();
    assert_eq!(desk.build(&[]).code, Some(0));
    let image = |path: &str| desk.octofw(&["explain", path, "--image", "made.bin", "--json"]);
    let told = json_of(&image("/etc/both"));
    assert_eq!(told["after"], desk.explain("/etc/both", &[])["after"]);
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(
        (&steps[0]["overlay"], &steps[1]["overlay"], steps.len()),
        (&json!("01-one"), &json!("02-two"), 2)
    );
    let told = json_of(&image("/etc/new"));
    assert_eq!(
        (&told["steps"][0]["effect"], &told["after"]["owner"]),
        (&json!("added"), &json!("1000:1000"))
    );
    assert_eq!(json_of(&image("/etc/passwd"))["notes"], json!(["it is as in the base"]));
    let gone = image("/etc/init.d/S50x");
    assert_eq!((gone.code, &json_of(&gone)["there"]), (Some(0), &json!(false)));
    assert_eq!(json_of(&image("/etc"))["below"]["changes"], json!([["01-one", 5], ["02-two", 1]]));
    // The same figures as in the plan, where it is verified.
    let space = desk.plan(&[])["space"].clone();
    let verified = json_of(&desk.octofw(&["verify", "made.bin", "--json"]));
    assert_eq!(verified["space"], space);
    let share = space["attribution"]["overlays"][0]["bytes"].as_u64().unwrap();
    assert!(share > 0, "{space}");
    let text = desk.octofw(&["verify", "made.bin"]).out;
    let line = format!("{:>10}  01-one, 3 files\n", format!("{share} B"));
    assert!(text.contains("the slot system_a holds 314.6 MB: ") && text.contains(&line), "{text}");

    let ended = image("/etc/nwe");
    assert_eq!((ended.code, &json_of(&ended)["near"]), (Some(1), &json!(["/etc/new"])));

    fs::copy(desk.path("base.bin"), desk.path("made.bin")).unwrap();
    let ended = image("/etc/new");
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.err.contains("made.manifest.json is the manifest of another image than made.bin"),
        "{}",
        ended.err
    );
    fs::write(desk.path("made.manifest.json"), "{").unwrap();
    assert_eq!(image("/etc/new").code, Some(3));
    fs::remove_file(desk.path("made.manifest.json")).unwrap();
    assert_eq!(image("/etc/new").code, Some(1));
}

#[test]
fn what_is_for_machines_tells_its_form() {
    let desk = desk();
    let on_base = |call: &[&str], more: &[&str]| desk.on_base(&[call, &["--json"]].concat(), more);
    let built = desk.build(&["--json"]);
    let alone = |call: &[&str]| desk.octofw(&[call, &["--json"]].concat());
    for (what, ended) in [
        ("build", built),
        ("build --dry-run", on_base(&["build", "--out", "dry.bin", "--dry-run"], &[])),
        ("plan", on_base(&["plan"], &[])),
        ("explain", on_base(&["explain", "/etc/new"], &[])),
        ("rehearse", on_base(&["rehearse"], &[])),
        ("lint", on_base(&["lint"], &[])),
        ("list", alone(&["list", "--overlay", "overlays/01-one"])),
        ("lint --list", alone(&["lint", "--list"])),
        ("inspect", alone(&["inspect", "made.bin"])),
        ("verify", alone(&["verify", "made.bin", "--base", "base.bin"])),
        ("diff", alone(&["diff", "base.bin", "made.bin"])),
        ("check-program", alone(&["check-program", OCTOFW])),
        ("attest", alone(&["attest", "made.bin"])),
        ("sbom", alone(&["sbom", "image", "--image", "made.bin", "--out", "made.cdx.json"])),
        ("cache", alone(&["cache"])),
        ("cache clear", alone(&["cache", "clear"])),
        ("keygen", alone(&["keygen", "--secret", "key", "--public", "key.pub", "--no-passphrase"])),
        ("sign", alone(&["sign", "made.bin", "--key", "key"])),
        ("manual", alone(&["manual", "man1"])),
    ] {
        assert!(matches!(ended.code, Some(0 | 1)), "{what}: {}", ended.err);
        assert_eq!(json_of(&ended)["schema"], 1, "{what}: {}", ended.out);
    }
    assert!(!desk.path("dry.bin").exists());
}
