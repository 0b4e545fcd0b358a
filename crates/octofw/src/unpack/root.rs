//! The root file system as a tree on the disk with its table, and back.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::table::{self, Line, Lines};
use super::{PARTS, TABLE, TREE, UnpackError};
use crate::container::{SourceFile, Span};
use crate::image::ROOTFS;
use crate::rootfs::snapshot::{Entry, Kind, Snapshot};
use crate::rootfs::splicing::{Base, Parts, SplicingError, device};
use crate::rootfs::unpacking;
use crate::squashfs::splice::Splice;
use crate::squashfs::tree::{Form, Node, NodeId};

/// A device that no disk has, for inodes that are in the table only.
const NOWHERE: u64 = u64::MAX;

/// Unpacks the squashfs that lies at `at` in a file, and writes its table.
pub(super) fn unpack(file: &Path, at: Span, folder: &Path) -> Result<(), UnpackError> {
    let base = Base::open(file, at)?;
    let root = folder.join(TREE);
    unpacking::files(&base, &root).map_err(UnpackError::io("unpack the root to", &root))?;
    let mut lines = Lines::new();
    for (path, id) in base.tree.paths() {
        if let Some(node) = base.tree.node(id) {
            lines.insert(path, line(node));
        }
    }
    let to = folder.join(TABLE);
    fs::write(&to, table::write(&lines)).map_err(UnpackError::io("write", &to))
}

fn line(node: &Node) -> Line {
    let (kind, device) = match node.form {
        Form::Directory(_) => (Kind::Directory, (0, 0)),
        Form::File(_) => (Kind::File, (0, 0)),
        Form::Link(_) => (Kind::Link, (0, 0)),
        Form::CharacterDevice(number) => (Kind::CharacterDevice, device(number)),
        Form::BlockDevice(number) => (Kind::BlockDevice, device(number)),
        Form::Fifo => (Kind::Fifo, (0, 0)),
        Form::Socket => (Kind::Socket, (0, 0)),
    };
    Line { kind, mode: node.mode.into(), uid: node.uid, gid: node.gid, time: node.modified, device }
}

/// Packs the tree to `out`; false, and nothing is written, where it is still that of `rootfs.img`.
pub(super) fn pack(folder: &Path, out: &Path) -> Result<bool, UnpackError> {
    let packed = folder.join(PARTS).join(ROOTFS);
    let at = SourceFile::open(&packed).map_err(UnpackError::io("read", &packed))?.span();
    let base = Base::open(&packed, at)?;
    let path = folder.join(TABLE);
    let text = fs::read(&path).map_err(UnpackError::io("read", &path))?;
    let lines = table::read(&text).map_err(|number| UnpackError::Folder {
        path: path.clone(),
        problem: format!("line {number} is no line of the table, or a path stands there twice; mend it"),
    })?;
    let root = folder.join(TREE);
    let disk = Snapshot::take(&root).map_err(UnpackError::io("walk", &root))?;
    let epoch = base.filesystem.superblock().mkfs_time;
    let (before, last) = Sides { base: &base, lines: &lines, root: &root, epoch }.of(disk)?;
    if base.is_unchanged(&before, &last) {
        return Ok(false);
    }
    let splice = Splice::begin(&base.filesystem, out).map_err(SplicingError::from)?;
    let parts = Parts { splice, copied: || Ok(()), written: |_| () };
    base.write(&root, (&before, &last), epoch, (out, 0), parts)?;
    Ok(true)
}

/// Makes both sides of the comparison: what the base has, and what is on the disk and in the table.
struct Sides<'a> {
    base: &'a Base,
    lines: &'a Lines,
    root: &'a Path,
    epoch: u32,
}

impl Sides<'_> {
    fn of(&self, disk: Snapshot) -> Result<(Snapshot, Snapshot), SplicingError> {
        let mut last = disk;
        for (path, now) in &mut last.entries {
            // Who makes a file in the tree means it to be root's, as on the printer.
            (now.uid, now.gid, now.changed) = (0, 0, (1, 0));
            if let Some(line) = self.lines.get(path).filter(|line| line.kind == now.kind) {
                (now.mode, now.uid, now.gid) = (line.mode, line.uid, line.gid);
            }
        }
        for (number, (path, line)) in self.lines.iter().enumerate() {
            let special = !matches!(line.kind, Kind::File | Kind::Directory | Kind::Link);
            if special && !last.entries.contains_key(path) {
                last.entries.insert(path.clone(), of_line(line, (NOWHERE, number as u64)));
            }
        }
        let before = self.before(&last);
        self.compare(&before, &mut last)?;
        Ok((before, last))
    }

    /// The base's paths, with the inodes that they have on the disk.
    fn before(&self, last: &Snapshot) -> Snapshot {
        let mut before = Snapshot::default();
        let mut numbers: HashMap<NodeId, u64> = HashMap::new();
        for (path, id) in self.base.tree.paths() {
            let Some(node) = self.base.tree.node(id) else { continue };
            let next = (self.lines.len() as u64).saturating_add(numbers.len() as u64);
            let nowhere = (NOWHERE, *numbers.entry(id).or_insert(next));
            let line = line(node);
            let there = last.entries.get(&path).filter(|now| now.kind == line.kind);
            let mut entry = of_line(&line, there.map_or(nowhere, |now| now.inode));
            match &node.form {
                Form::File(stored) => entry.size = stored.size,
                Form::Link(target) => {
                    entry.size = target.len() as u64;
                    entry.target = Some(target.clone());
                }
                _ => {}
            }
            before.entries.insert(path, entry);
        }
        before
    }

    /// Finds what was changed: by content, since times get lost when a tree is copied. What was not keeps its time.
    fn compare(&self, before: &Snapshot, last: &mut Snapshot) -> Result<(), SplicingError> {
        let names = |snapshot: &Snapshot| {
            let mut names: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
            for path in snapshot.entries.keys().filter(|path| !path.is_empty()) {
                let at = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                let folder = path.get(..at).unwrap_or_default().to_vec();
                names.entry(folder).or_default().push(path.clone());
            }
            names
        };
        let (names_before, names_now) = (names(before), names(last));
        for (path, now) in &mut last.entries {
            let time = self.lines.get(path).map_or(self.epoch, |line| line.time);
            let was = before.entries.get(path).filter(|was| was.kind == now.kind);
            let same = match was {
                None => false,
                Some(was) => match now.kind {
                    Kind::Directory => names_before.get(path) == names_now.get(path),
                    Kind::Link => was.target == now.target,
                    Kind::File => was.size == now.size && !self.base.differs(self.root, path)?,
                    _ => was.device == now.device,
                },
            };
            now.rewritten = !same && now.kind == Kind::File;
            now.modified = (i64::from(if same { time } else { self.epoch }), 0);
            // What has the time of its last change from before is not compared again.
            if let Some(was) = was.filter(|_| same) {
                now.changed = was.changed;
            }
        }
        Ok(())
    }
}

fn of_line(line: &Line, inode: (u64, u64)) -> Entry {
    Entry {
        kind: line.kind,
        mode: line.mode,
        uid: line.uid,
        gid: line.gid,
        size: 0,
        modified: (i64::from(line.time), 0),
        changed: (0, 0),
        rewritten: false,
        inode,
        device: line.device,
        target: None,
    }
}
