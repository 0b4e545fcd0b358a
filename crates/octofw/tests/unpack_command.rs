//! Firmware files taken apart and put together again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use octofw::container::upfile::EntryKind;
use octofw::image::{Image, ROOTFS};
use octofw::squashfs::Filesystem;
use octofw::squashfs::tree::Form;
use octofw::standin::container::{ContainerOptions, Size, write_container};
use tempfile::TempDir;

/// What an ordinary user could not make: owners, the set-user bit, devices; and hard links, and a name that needs care.
const ROOT: &str = r#"
set -e; umask 022; mkdir root; cd root
mkdir -p bin dev etc var/empty
echo 'root:x:0:0' >etc/passwd; echo secret >etc/shadow; chmod 000 etc/shadow
head -c 300000 /dev/zero | tr '\0' b >bin/busybox; for name in sh ls; do ln bin/busybox bin/$name; done
cp bin/busybox bin/su; chmod 4755 bin/su; ln -s ../bin/sh etc/shell
mknod dev/console c 5 1; mknod dev/block b 179 3; mkfifo dev/pipe; ln dev/console dev/tty
printf 'x' >"etc/$(printf 'a\tb\\c')"; : >etc/nothing; chown -R 1000:33 etc/nothing var; chmod 700 var/empty
find . -exec touch -h -d @1700000000 {} +
cd ..; mksquashfs root rootfs.img -noappend -quiet -no-progress -no-xattrs -mkfs-time 1700000100
"#;

struct Bed {
    folder: TempDir,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("fakeroot");
        let made = command.args(["sh", "-c", ROOT]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let bed = Self { folder };
        let options = ContainerOptions::default();
        write_container(&bed.path("rootfs.img"), &options, &bed.path("firmware.bin")).unwrap();
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn octofw(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_octofw"))
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn fine(&self, words: &[&str]) {
        let output = self.octofw(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn fails(&self, words: &[&str], code: i32, with: &str) {
        let output = self.octofw(words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(with), "{words:?}: {text}");
    }

    /// Takes a file apart and puts it together; the two must be the same.
    fn comes_back(&self, file: &str, more: &[&str]) {
        let _ = fs::remove_dir_all(self.path("apart"));
        self.fine(&[&["unpack", file, "--out", "apart"], more].concat());
        self.is_same(file);
    }

    fn is_same(&self, file: &str) {
        self.fine(&["pack", "apart", "--out", "again"]);
        assert!(fs::read(self.path("again")).unwrap() == fs::read(self.path(file)).unwrap(), "{file}");
    }

    fn edit(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let path = self.path(name);
        fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    }
}

/// Paths of a root with what they are.
fn listing(squashfs: &Path) -> BTreeMap<String, (u16, u32, u32, u32, String)> {
    let filesystem = Filesystem::open(squashfs).unwrap();
    let tree = filesystem.tree().unwrap();
    let one = |(path, id): (Vec<u8>, _)| {
        let node = tree.node(id).unwrap();
        let form = match &node.form {
            Form::Directory(_) => "directory".to_owned(),
            Form::File(stored) => {
                let mut content = Vec::new();
                filesystem.copy(stored, &mut content).unwrap();
                octofw::digest::hex(&content[..content.len().min(40)]) + &format!(" {}", content.len())
            }
            other => format!("{other:?}"),
        };
        let facts = (node.mode, node.uid, node.gid, node.modified, form);
        (String::from_utf8(path).unwrap(), facts)
    };
    tree.paths().into_iter().map(one).collect()
}

#[test]
fn every_layer_comes_back_byte_for_byte() {
    let bed = Bed::new();
    let bytes = fs::read(bed.path("firmware.bin")).unwrap();
    let image = Image::open(&bed.path("firmware.bin")).unwrap();
    let update = image.span_of(EntryKind::Update.file_name()).unwrap();
    let part = |from: u64, to: u64| bytes[from as usize..to as usize].to_vec();
    fs::write(bed.path("update.img"), part(update.offset, update.end())).unwrap();
    fs::write(bed.path("rom.img"), part(image.rkaf_span().offset, image.rkaf_span().end())).unwrap();
    fs::write(bed.path("trailing.bin"), [&bytes[..], b"more"].concat()).unwrap();
    for file in ["firmware.bin", "update.img", "rom.img", "rootfs.img", "trailing.bin"] {
        bed.comes_back(file, &[]);
        bed.comes_back(file, &["--no-root"]);
        assert!(!bed.path("apart/root").exists());
    }
    for options in [
        ContainerOptions { container_version: 2, version: "9+x".into(), ..ContainerOptions::default() },
        ContainerOptions { size: Size::Padded, ..ContainerOptions::default() },
    ] {
        write_container(&bed.path("rootfs.img"), &options, &bed.path("other.bin")).unwrap();
        bed.comes_back("other.bin", &["--no-root"]);
    }
}

/// A block's end that is not zeros is no part's content, and yet it comes back.
#[test]
fn what_lies_between_parts_comes_back() {
    let bed = Bed::new();
    let image = Image::open(&bed.path("firmware.bin")).unwrap();
    let rom = image.rkaf_span();
    let mut bytes =
        fs::read(bed.path("firmware.bin")).unwrap()[rom.offset as usize..rom.end() as usize].to_vec();
    let list = image.span_of("package-file").unwrap();
    bytes[(list.end() - rom.offset) as usize + 3] = b'#';
    let parameter = image.span_of("parameter.txt").unwrap();
    bytes[(parameter.offset - rom.offset) as usize + 2040] = 1;
    let end = bytes.len() - 4;
    let crc = octofw::container::rkcrc::rkcrc(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&crc);
    fs::write(bed.path("rom.img"), bytes).unwrap();
    bed.comes_back("rom.img", &["--no-root"]);
    assert!(bed.path("apart/parts/package-file.padding").exists());
}

/// What lies between parts beyond the end of a block would be lost.
#[test]
fn parts_with_room_between_them_are_refused() {
    let bed = Bed::new();
    let image = Image::open(&bed.path("firmware.bin")).unwrap();
    let rom = image.rkaf_span();
    let mut bytes =
        fs::read(bed.path("firmware.bin")).unwrap()[rom.offset as usize..rom.end() as usize].to_vec();
    // A block in front of the last part, userdata.img.
    let last = 140 + 11 * 112 + 96;
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().unwrap());
    let (position, length) = (number(&bytes, last), number(&bytes, 4));
    bytes[last..last + 4].copy_from_slice(&(position + 2048).to_le_bytes());
    bytes[4..8].copy_from_slice(&(length + 2048).to_le_bytes());
    let at = position as usize;
    bytes.splice(at..at, [7; 2048]);
    let end = bytes.len() - 4;
    let crc = octofw::container::rkcrc::rkcrc(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&crc);
    fs::write(bed.path("rom.img"), bytes).unwrap();
    bed.fine(&["verify", "rom.img"]);
    for more in [&[][..], &["--dry-run"]] {
        let words = [&["unpack", "rom.img", "--out", "apart", "--no-root"], more].concat();
        bed.fails(&words, 3, "the parts of its rom image do not lie one behind the other");
        assert!(!bed.path("apart").exists());
    }
}

#[test]
fn a_tree_that_was_copied_is_still_the_same() {
    let bed = Bed::new();
    bed.comes_back("firmware.bin", &[]);
    let copied = Command::new("cp")
        .args(["-r", "apart/root", "copy"])
        .current_dir(bed.folder.path())
        .status()
        .unwrap();
    assert!(copied.success());
    fs::remove_dir_all(bed.path("apart/root")).unwrap();
    fs::rename(bed.path("copy"), bed.path("apart/root")).unwrap();
    bed.is_same("firmware.bin");
}

#[test]
fn what_is_edited_in_tree_and_table_is_packed_and_nothing_else() {
    let bed = Bed::new();
    bed.comes_back("firmware.bin", &[]);
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    // As long as before, and of the same time.
    fs::write(bed.path("apart/root/etc/passwd"), "ROOT:x:0:0\n").unwrap();
    File::options().write(true).open(bed.path("apart/root/etc/passwd")).unwrap().set_modified(time).unwrap();
    fs::create_dir(bed.path("apart/root/etc/new")).unwrap();
    fs::write(bed.path("apart/root/etc/new/file"), "new").unwrap();
    fs::remove_file(bed.path("apart/root/etc/nothing")).unwrap();
    bed.edit("apart/root.tsv", |table| {
        let lines = table.lines().filter(|line| !line.ends_with("\tdev/pipe")).map(|line| match line {
            line if line.ends_with("\tbin/su") => line.replace("\t4755\t0\t0\t", "\t0755\t5\t6\t"),
            line if line.ends_with("\tdev/block") => line.replace("179:3", "179:4"),
            line => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n") + "\nf\t0600\t1\t2\t9\t-\tetc/new/file\n"
    });
    bed.fine(&["pack", "apart", "--out", "edited.bin"]);
    bed.fine(&["verify", "edited.bin"]);

    bed.fine(&["unpack", "edited.bin", "--out", "edited"]);
    let mut expected = listing(&bed.path("apart/parts").join(ROOTFS));
    let made = 1_700_000_100;
    let text = |text: &str| octofw::digest::hex(text.as_bytes()) + &format!(" {}", text.len());
    let passwd = expected.get_mut("etc/passwd").unwrap();
    (passwd.3, passwd.4) = (made, text("ROOT:x:0:0\n"));
    expected.insert("etc/new".into(), (0o755, 0, 0, made, "directory".into()));
    expected.insert("etc/new/file".into(), (0o600, 1, 2, made, text("new")));
    expected.remove("etc/nothing").unwrap();
    expected.get_mut("etc").unwrap().3 = made;
    let su = expected.get_mut("bin/su").unwrap();
    (su.0, su.1, su.2) = (0o755, 5, 6);
    let block = expected.get_mut("dev/block").unwrap();
    (block.3, block.4) = (made, "BlockDevice(45828)".into());
    expected.remove("dev/pipe").unwrap();
    expected.get_mut("dev").unwrap().3 = made;
    let found = listing(&bed.path("edited/parts").join(ROOTFS));
    for (path, facts) in &expected {
        assert_eq!(found.get(path), Some(facts), "{path}");
    }
    assert_eq!(found.len(), expected.len());
    let links =
        Command::new("unsquashfs").arg("-s").arg(bed.path("edited/parts").join(ROOTFS)).output().unwrap();
    assert!(links.status.success());
}

#[test]
fn parts_and_version_may_be_edited() {
    let bed = Bed::new();
    bed.comes_back("firmware.bin", &["--no-root"]);
    fs::write(bed.path("apart/parts/oem.img"), vec![7; 70_001]).unwrap();
    bed.edit("apart/parts/parameter.txt", |text| text + "\n# edited\n");
    bed.edit("apart/layout.json", |text| {
        text.replace("\"version\": \"1.3.0.168\"", "\"version\": \"1.3.0.168x\"")
    });
    bed.fine(&["pack", "apart", "--out", "edited.bin"]);
    let image = Image::open(&bed.path("edited.bin")).unwrap();
    assert_eq!(image.version(), Some("1.3.0.168x"));
    assert_eq!(image.span_of("oem.img").unwrap().len, 70_001);
    assert!(image.parameter().text.ends_with("# edited\n"));
    let base = Image::open(&bed.path("firmware.bin")).unwrap();
    for part in ["userdata.img", "rootfs.img", "MCU_DESC", "loader"] {
        assert_eq!(image.part_sha256(part).unwrap(), base.part_sha256(part).unwrap(), "{part}");
    }
}

#[test]
fn what_cannot_be_unpacked_or_packed_is_named_and_leaves_nothing() {
    let bed = Bed::new();
    fs::write(bed.path("text"), "text").unwrap();
    bed.fails(&["unpack", "text", "--out", "apart"], 3, "text is nothing that can be unpacked");
    bed.fails(&["unpack", "absent", "--out", "apart"], 1, "cannot read absent");
    let mut damaged = fs::read(bed.path("firmware.bin")).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(bed.path("damaged"), damaged).unwrap();
    bed.fails(&["unpack", "damaged", "--out", "apart"], 3, "MD5 of MCU_DESC");
    assert!(!bed.path("apart").exists());
    bed.fine(&["unpack", "firmware.bin", "--out", "apart"]);
    bed.fails(&["unpack", "firmware.bin", "--out", "apart"], 1, "cannot make apart");

    let good = |name: &str| fs::read_to_string(bed.path(name)).unwrap();
    let (layout, table) = (good("apart/layout.json"), good("apart/root.tsv"));
    for (from, to, error) in [
        ("\"schema\": 1", "\"schema\": 2", "schema 2 is not known here"),
        ("{", "", "this is no layout"),
        ("\"date\": \"2", "\"date\": \"x", "must have 14 digits"),
        ("\"version\": \"", "\"version\": \" ", "must have 1 to 24 letters"),
        ("\"container_version\": 1", "\"container_version\": 3", "container version 3 is not known"),
        ("\"rkaf\": \"52", "\"rkaf\": \"5", "the header rkaf is missing"),
        ("\"rkaf\": \"52", "\"rkaf\": \"53", "has a header that is not sound"),
    ] {
        fs::write(bed.path("apart/layout.json"), layout.replacen(from, to, 1)).unwrap();
        bed.fails(&["pack", "apart", "--out", "again"], 3, error);
    }
    fs::write(bed.path("apart/layout.json"), &layout).unwrap();
    fs::write(bed.path("apart/root.tsv"), format!("{table}f\t0644\t0\t0\t7\t-\t../outside\n")).unwrap();
    bed.fails(&["pack", "apart", "--out", "again"], 3, "is no line of the table");
    fs::write(bed.path("apart/root.tsv"), &table).unwrap();
    fs::remove_file(bed.path("apart/parts/misc.img")).unwrap();
    bed.fails(&["pack", "apart", "--out", "again"], 1, "misc.img");
    assert!(!bed.path("again").exists());
    let left: Vec<_> =
        fs::read_dir(bed.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".octofw")), "{left:?}");
}

#[test]
fn what_no_reader_would_take_is_not_packed() {
    let bed = Bed::new();
    bed.fine(&["unpack", "firmware.bin", "--out", "apart"]);
    for (part, text, said) in [
        ("parameter.txt", "FIRMWARE_VER: 1.0.0\n", "parameter.txt"),
        ("package-file", "one two three\n", "package-file"),
        ("rootfs.img", "no squashfs", "squashfs"),
    ] {
        let place = bed.path("apart/parts").join(part);
        let good = fs::read(&place).unwrap();
        let table = fs::read(bed.path("apart/root.tsv")).unwrap();
        fs::write(&place, text).unwrap();
        fs::remove_file(bed.path("apart/root.tsv")).unwrap();
        let expected = "what apart holds makes no sound firmware file; mend the part that is named: ";
        bed.fails(&["pack", "apart", "--out", "again"], 3, expected);
        bed.fails(&["pack", "apart", "--out", "again"], 3, said);
        assert!(!bed.path("again").exists());
        fs::write(&place, good).unwrap();
        fs::write(bed.path("apart/root.tsv"), table).unwrap();
    }
    // To delete a file of the root takes it away; to delete all of them is more likely a slip.
    fs::remove_dir_all(bed.path("apart/root")).unwrap();
    bed.fails(&["pack", "apart", "--out", "again"], 1, "cannot walk apart/root: ");
    assert!(!bed.path("again").exists());
}

#[test]
fn what_is_packed_is_not_written_over() {
    let bed = Bed::new();
    bed.fine(&["unpack", "firmware.bin", "--out", "apart"]);
    for out in
        ["parts/rootfs.img", "parts/new", "root/etc/new", "root.tsv", "layout.json", "loader", "MCU_DESC"]
    {
        let out = format!("apart/{out}");
        bed.fails(&["pack", "apart", "--out", &out], 2, &format!("{out} is both an input and the output"));
    }
    for _ in 0..2 {
        bed.fine(&["pack", "apart", "--out", "apart/again.bin"]);
    }
    assert!(fs::read(bed.path("apart/again.bin")).unwrap() == fs::read(bed.path("firmware.bin")).unwrap());
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let bed = Bed::new();
    let left = || fs::read_dir(bed.folder.path()).unwrap().count();
    let before = left();
    bed.fine(&["unpack", "firmware.bin", "--out", "apart", "--dry-run", "--json"]);
    assert_eq!(left(), before);
    bed.fine(&["unpack", "firmware.bin", "--out", "apart"]);
    bed.fails(&["unpack", "firmware.bin", "--out", "apart", "--dry-run"], 1, "cannot make apart");
    bed.fine(&["pack", "apart", "--out", "again.bin", "--dry-run"]);
    bed.fails(&["pack", "apart", "--out", "apart/root", "--dry-run"], 2, "is both an input and the output");
    bed.fails(&["pack", "apart", "--out", ".", "--dry-run"], 1, "cannot write .: it is no regular file");
    assert_eq!(left(), before + 1);
    fs::remove_file(bed.path("apart/parts/misc.img")).unwrap();
    bed.fails(&["pack", "apart", "--out", "again.bin", "--dry-run"], 1, "misc.img");
}
