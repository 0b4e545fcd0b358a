//! Image trees and resources made by hand, after the documents that the readers name.

use std::fs;
use std::io::Write as _;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::container::Fault;

/// A node of a tree to be written.
struct Branch {
    name: &'static str,
    properties: Vec<(&'static str, Vec<u8>)>,
    children: Vec<Branch>,
}

fn branch(name: &'static str, properties: Vec<(&'static str, Vec<u8>)>, children: Vec<Branch>) -> Branch {
    Branch { name, properties, children }
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

fn number(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

impl Branch {
    fn write(&self, nodes: &mut Vec<u8>, names: &mut Vec<u8>) {
        let padded = |nodes: &mut Vec<u8>, bytes: &[u8]| {
            nodes.extend(bytes);
            nodes.resize(nodes.len().next_multiple_of(4), 0);
        };
        nodes.extend(1u32.to_be_bytes());
        padded(nodes, &text(self.name));
        for (name, value) in &self.properties {
            nodes.extend(3u32.to_be_bytes());
            nodes.extend((value.len() as u32).to_be_bytes());
            nodes.extend((names.len() as u32).to_be_bytes());
            names.extend(text(name));
            padded(nodes, value);
        }
        for child in &self.children {
            child.write(nodes, names);
        }
        nodes.extend(2u32.to_be_bytes());
    }

    fn tree(&self) -> Vec<u8> {
        let (mut nodes, mut names) = (Vec::new(), Vec::new());
        self.write(&mut nodes, &mut names);
        nodes.extend(9u32.to_be_bytes());
        let (nodes_at, names_at) = (56, 56 + nodes.len() as u32);
        let length = names_at + names.len() as u32;
        let header =
            [0xd00d_feed, length, nodes_at, names_at, 40, 17, 16, 0, names.len() as u32, nodes.len() as u32];
        let header: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        [header, vec![0; 16], nodes, names].concat()
    }
}

fn resource() -> Vec<u8> {
    let mut bytes = vec![0; 512 * 5];
    bytes[..16].copy_from_slice(b"RSCE\0\0\0\0\x01\x01\x01\0\x02\0\0\0");
    let logo = [7; 700];
    bytes[512 * 3..512 * 3 + 700].copy_from_slice(&logo);
    let sum: [u8; 32] = Sha256::digest(logo).into();
    for (at, name, sum, block, size) in
        [(512, "logo.bmp", &sum[..], 3u32, 700u32), (1024, "rk-kernel.dtb", &[], 4, 0)]
    {
        bytes[at..at + 4].copy_from_slice(b"ENTR");
        bytes[at + 4..at + 4 + name.len()].copy_from_slice(name.as_bytes());
        bytes[at + 224..at + 224 + sum.len()].copy_from_slice(sum);
        for (field, value) in [(256, sum.len() as u32), (260, block), (264, size)] {
            bytes[at + field..at + field + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// As the vendor's kernel image: content at 0x800 and behind, a sum of each.
pub(crate) fn kernel_image() -> Vec<u8> {
    let (tree, kernel, resource) = (vec![1; 100], vec![2; 1000], resource());
    let image = |name, kind: &str, place: (&'static str, u32), content: &[u8]| {
        let sum = vec![("algo", text("sha256")), ("value", Sha256::digest(content).to_vec())];
        let properties = vec![
            ("type", text(kind)),
            ("compression", text(if kind == "kernel" { "lz4" } else { "none" })),
            ("load", number(0xffff_ff01)),
            ("data-size", number(content.len() as u32)),
            (place.0, number(place.1)),
        ];
        branch(name, properties, vec![branch("hash", sum, Vec::new())])
    };
    let images = vec![
        image("fdt", "flat_dt", ("data-position", 0x800), &tree),
        image("kernel", "kernel", ("data-position", 0xa00), &kernel),
        image("resource", "multi", ("data-position", 0xe00), &resource),
    ];
    let root = vec![("description", text("U-Boot FIT source file")), ("timestamp", number(1_700_000_000))];
    let configurations =
        branch("configurations", vec![("default", text("conf"))], vec![branch("conf", vec![], vec![])]);
    let root = branch("", root, vec![branch("images", vec![], images), configurations]);
    let mut bytes = root.tree();
    for (at, content) in [(0x800, tree), (0xa00, kernel), (0xe00, resource)] {
        bytes.resize(at, 0);
        bytes.extend(content);
    }
    bytes
}

fn looked(bytes: &[u8], sums: bool) -> Result<Option<Look>, PartError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // Not at its start, so that places are counted from where it lies.
    file.write_all(&[0; 333]).unwrap();
    file.write_all(bytes).unwrap();
    let source = SourceFile::open(file.path()).unwrap();
    of_part(&source, Span::new(333, bytes.len() as u64), "boot.img", sums)
}

fn fault(bytes: &[u8]) -> Fault {
    match looked(bytes, true) {
        Err(PartError::Format(error)) => error.fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_kernels_image_is_shown_with_its_sums() {
    let Look { content: Content::Fit(fit), wrong } = looked(&kernel_image(), true).unwrap().unwrap() else {
        panic!("no image tree");
    };
    assert_eq!(fit.description.as_deref(), Some("U-Boot FIT source file"));
    assert_eq!((fit.created, fit.default.as_deref()), (Some(1_700_000_000), Some("conf")));
    assert_eq!(fit.configurations, ["conf"]);
    let told: Vec<_> = fit
        .images
        .iter()
        .map(|image| (image.name.as_str(), image.offset, image.size, image.hash.as_ref().unwrap().ok))
        .collect();
    let expected = [
        ("fdt", 0x800, 100, Some(true)),
        ("kernel", 0xa00, 1000, Some(true)),
        ("resource", 0xe00, 2560, Some(true)),
    ];
    assert_eq!(told, expected);
    assert_eq!(fit.images[1].compression.as_deref(), Some("lz4"));
    assert_eq!(fit.images[1].load.as_deref(), Some("0xffffff01"));
    let files = &fit.images[2].resource.as_ref().unwrap().files;
    assert_eq!((files[0].name.as_str(), files[0].offset, files[0].size), ("logo.bmp", 1536, 700));
    assert_eq!(files[0].hash.as_ref().unwrap().ok, Some(true));
    assert_eq!((files[1].name.as_str(), files[1].hash.as_ref()), ("rk-kernel.dtb", None));
    assert!(wrong.is_empty());
}

#[test]
fn a_wrong_sum_is_told_and_none_is_taken_unasked() {
    let mut bytes = kernel_image();
    bytes[0xa00 + 999] ^= 1;
    bytes[0xe00 + 1536] ^= 1;
    let look = looked(&bytes, true).unwrap().unwrap();
    let told: Vec<String> =
        look.wrong.iter().map(|error| format!("{} {}", error.code(), error.field)).collect();
    assert_eq!(
        told,
        ["fit-sum sha256 of kernel", "fit-sum sha256 of resource", "resource-sum sha256 of logo.bmp"]
    );
    assert_eq!(look.wrong[0].offset, 333 + 0xa00);
    let look = looked(&bytes, false).unwrap().unwrap();
    assert!(look.wrong.is_empty());
    let Content::Fit(fit) = look.content else { panic!("no image tree") };
    assert!(fit.images.iter().all(|image| image.hash.as_ref().unwrap().ok.is_none()));
}

#[test]
fn content_may_lie_in_the_tree_or_be_counted_from_its_end() {
    let image = |name, place: Vec<(&'static str, Vec<u8>)>| branch(name, place, vec![]);
    let images = vec![
        image("inside", vec![("data", b"12345".to_vec())]),
        image("behind", vec![("data-offset", number(8)), ("data-size", number(3))]),
    ];
    let tree = branch("", vec![], vec![branch("images", vec![], images)]).tree();
    let end = tree.len().next_multiple_of(4);
    let mut bytes = tree;
    bytes.resize(end + 11, 0);
    let Content::Fit(fit) = looked(&bytes, true).unwrap().unwrap().content else { panic!("no image tree") };
    let inside = fit.images[0].offset as usize;
    assert_eq!(&bytes[inside..inside + 5], b"12345");
    assert_eq!((fit.images[1].offset, fit.images[1].size), (end as u64 + 8, 3));
    bytes.pop();
    assert_eq!(fault(&bytes), Fault::OutOfBounds);
}

#[test]
fn each_breach_has_its_name() {
    let good = kernel_image();
    let nowhere = branch("", vec![], vec![branch("images", vec![], vec![branch("a", vec![], vec![])])]);
    assert_eq!(fault(&nowhere.tree()), Fault::OutOfBounds);
    let mut deep = branch("", vec![], vec![]);
    for _ in 0..40 {
        deep = branch("n", vec![], vec![deep]);
    }
    assert_eq!(fault(&deep.tree()), Fault::Limit);
    type Change = fn(&mut Vec<u8>);
    let table: [(&str, Change, Fault); 8] = [
        ("cut in its header", |b| b.truncate(6), Fault::Truncated),
        ("cut in its nodes", |b| b.truncate(300), Fault::Truncated),
        ("longer than anything", |b| b[4] = 0x7f, Fault::Limit),
        ("shorter than a header", |b| b[4..8].fill(0), Fault::Limit),
        ("nodes elsewhere", |b| b[8] = 0xff, Fault::Truncated),
        ("names elsewhere", |b| b[12] = 0xff, Fault::Text),
        ("no token", |b| b[59] = 7, Fault::Kind),
        ("content cut", |b| b.truncate(0xe00 + 100), Fault::OutOfBounds),
    ];
    for (name, change, expected) in table {
        let mut bytes = good.clone();
        change(&mut bytes);
        assert_eq!(fault(&bytes), expected, "{name}");
    }
    let table: [(&str, usize, u8, Fault); 4] = [
        ("files", 13, 0xff, Fault::Count),
        ("tag", 512, b'X', Fault::Magic),
        ("place of a file", 512 + 262, 1, Fault::OutOfBounds),
        ("list", 9, 5, Fault::Truncated),
    ];
    for (name, at, byte, expected) in table {
        let mut bytes = resource();
        bytes[at] = byte;
        assert_eq!(fault(&bytes), expected, "{name}");
    }
}

#[test]
fn texts_are_known_by_their_content() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let kind = |bytes: &[u8]| {
        fs::write(file.path(), bytes).unwrap();
        of_file(&SourceFile::open(file.path()).unwrap(), true)
            .map(|found| found.map(|(look, _)| look.content))
    };
    let settings = "FIRMWARE_VER: 1.0.0\nCMDLINE: mtdparts=:1@2(a)\n";
    let expected = Content::Parameter {
        values: BTreeMap::from([
            ("FIRMWARE_VER".into(), "1.0.0".into()),
            ("CMDLINE".into(), "mtdparts=:1@2(a)".into()),
        ]),
    };
    let mut wrapped = parameter::wrap(settings.as_bytes()).unwrap();
    assert_eq!(kind(settings.as_bytes()).unwrap().as_ref(), Some(&expected));
    assert_eq!(kind(&wrapped).unwrap().as_ref(), Some(&expected));
    wrapped[10] ^= 1;
    assert!(matches!(kind(&wrapped), Err(PartError::Format(error)) if error.fault == Fault::Sum));
    let listed = |name: &str, file: &str| Listed { name: name.into(), file: file.into() };
    let list = Content::PackageFile {
        parts: vec![listed("package-file", "package-file"), listed("boot_a", "boot.img")],
    };
    assert_eq!(kind(b"# NAME\npackage-file package-file\nboot_a boot.img\n").unwrap(), Some(list));
    assert_eq!(kind(b"two words\n").unwrap(), None);
    assert_eq!(kind(b"").unwrap(), None);
}

#[test]
fn a_debug_record_is_seen() {
    let mut misc = vec![9; 49_152];
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&misc).unwrap();
    let look = |path| {
        let source = SourceFile::open(path).unwrap();
        of_part(&source, source.span(), "misc.img", true).unwrap().map(|look| look.content)
    };
    assert_eq!(look(file.path()), Some(Content::Misc { debug_record: false }));
    misc[0x6400..0x6404].copy_from_slice(&[0x12, 0x7e, 0x84, 0xcb]);
    fs::write(file.path(), &misc).unwrap();
    assert_eq!(look(file.path()), Some(Content::Misc { debug_record: true }));
    fs::write(file.path(), &misc[..0x6403]).unwrap();
    assert_eq!(look(file.path()), None);
}

proptest! {
    #[test]
    fn no_change_makes_it_panic(
        of_resource: bool,
        changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6),
        cut in prop::option::of(0usize..4000),
    ) {
        let mut bytes = if of_resource { resource() } else { kernel_image() };
        let heads = if of_resource { 1300 } else { 700 };
        for (at, byte) in changes {
            bytes[usize::from(at) % heads] = byte;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let _ = looked(&bytes, true);
    }
}
