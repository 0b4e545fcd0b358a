//! A file of an overlay as somebody may write it: the first byte chooses its path, the rest is the file. Listed, checked,
//! and looked at by every rule; scripts are read as the rules read them, and nothing is run.

use std::fs;
use std::path::PathBuf;

use octofw::lint::{self, ALLOW_FILE, Settings};
use octofw::list::List;
use octofw::overlay::{Order, Overlay};

/// Paths that rules look into, each in its own way. New ones come last: the inputs know them by their place.
const PATHS: [&str; 14] = [
    "root/etc/init.d/S66x",
    "root/etc/init.d/S66x.sh",
    "root/usr/bin/tool",
    "root/usr/local/share/firmware-config/extended/extended2.cfg",
    "root/usr/local/share/firmware-config/extended/klipper/x.cfg",
    "root/usr/local/share/firmware-config/functions/53_x.yaml",
    "root/etc/x.json",
    "scripts/1.sh",
    "pre-scripts/1.sh",
    "patches/etc/1.patch",
    "owners",
    ALLOW_FILE,
    "root/home/lava/origin_printer_data/config/printer.cfg",
    "root/etc/nginx/fluidd.d/x.conf",
];

pub(crate) fn run(bytes: &[u8]) {
    let Some((which, content)) = bytes.split_first() else { return };
    let folder = Folder::new();
    let path = folder.0.join(PATHS[usize::from(*which) % PATHS.len()]);
    fs::create_dir_all(path.parent().expect("a folder around it")).expect("a folder for temporary use");
    fs::write(&path, content).expect("a file for temporary use");

    let overlay = Overlay::open(&folder.0).expect("an overlay");
    let _ = overlay.check();
    let _ = List::of(&[overlay], Order::Current, None);
    let settings =
        Settings { overlays: vec![folder.0.clone()], without_interpreters: true, ..Settings::default() };
    let report = lint::lint(&settings).expect("whatever is in an overlay can be looked at");
    // What is told of it goes to terminals.
    let text = lint::text(&report, false, true);
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
    assert!(lint::sarif(&report).is_object());
}

/// A folder of this process; in memory, where the machine keeps such.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = folder.join(format!("fuzz-lint-{}-{thread}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for temporary use");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
