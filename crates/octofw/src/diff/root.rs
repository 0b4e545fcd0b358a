//! The root of one image, open for reading.

use std::path::{Path, PathBuf};

use super::DiffError;
use crate::container::{Kind, SourceFile};
use crate::image::{Image, ROOTFS};
use crate::squashfs::tree::{Form, Node, NodeId, Stored};
use crate::squashfs::{CopyError, Filesystem, SUPERBLOCK_LEN, Superblock, Tree};

/// Largest file that is read to be understood, in bytes: programs and settings are smaller.
const MOST_READ: u64 = 128 * 1024 * 1024;
/// Most links that are followed on the way to a file, as in the kernel.
const MOST_LINKS: usize = 40;

/// The root of one image.
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    /// What is around it; none for a bare squashfs.
    pub(crate) image: Option<Image>,
    pub(crate) filesystem: Filesystem,
    pub(crate) tree: Tree,
}

impl Root {
    /// Opens a file of any kind.
    pub(crate) fn open(path: &Path) -> Result<Self, DiffError> {
        let failed = |source| DiffError::Io { path: path.to_owned(), source };
        let file = SourceFile::open(path).map_err(failed)?;
        let first = file.read_up_to(0, SUPERBLOCK_LEN).map_err(failed)?;
        let (image, at) = match first.first_chunk().copied().and_then(Kind::of) {
            Some(Kind::Squashfs) => {
                Superblock::parse(&first, file.span())
                    .map_err(|source| DiffError::Squashfs { path: path.to_owned(), source })?;
                (None, file.span())
            }
            _ => {
                let image = Image::read(path)?;
                let at = image.span_of(ROOTFS)?;
                (Some(image), at)
            }
        };
        let filesystem = Filesystem::open_at(file, at)?;
        let tree = filesystem.tree()?;
        Ok(Self { path: path.to_owned(), image, filesystem, tree })
    }

    /// What is at a path, and links on the way are followed; none if there is nothing, or nothing sound.
    pub(crate) fn follow(&self, path: &[u8]) -> Option<&Node> {
        let mut todo: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        let mut way: Vec<NodeId> = vec![self.tree.root()];
        let mut links = 0;
        while let Some(name) = todo.pop() {
            let here = *way.last()?;
            match name.as_slice() {
                b"." => {}
                b".." if way.len() > 1 => drop(way.pop()),
                b".." => {}
                name => {
                    let next = self.tree.children(here).find(|(known, _)| *known == name)?.1;
                    match &self.tree.node(next)?.form {
                        Form::Link(target) => {
                            links += 1;
                            if links > MOST_LINKS {
                                return None;
                            }
                            if target.starts_with(b"/") {
                                way.truncate(1);
                            }
                            todo.extend(components(target).rev().map(<[u8]>::to_vec));
                        }
                        _ => way.push(next),
                    }
                }
            }
        }
        self.tree.node(*way.last()?)
    }

    /// What a file contains, if it is no larger than any that is understood.
    pub(crate) fn read(&self, path: &str, stored: &Stored) -> Result<Option<Vec<u8>>, DiffError> {
        if stored.size > MOST_READ {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        match self.filesystem.copy(stored, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(source) => Err(self.unread(path, source)),
        }
    }

    /// What the file at a path contains, links followed; none where there is no file.
    pub(crate) fn content(&self, path: &str) -> Result<Option<Vec<u8>>, DiffError> {
        match self.follow(path.as_bytes()).map(|node| &node.form) {
            Some(Form::File(stored)) => self.read(path, stored),
            _ => Ok(None),
        }
    }

    /// Writes what the file at a path contains, links followed, however large it is; whether there is a file.
    pub(crate) fn copy(&self, path: &str, out: &mut impl std::io::Write) -> Result<bool, DiffError> {
        let Some(Form::File(stored)) = self.follow(path.as_bytes()).map(|node| &node.form) else {
            return Ok(false);
        };
        self.filesystem.copy(stored, out).map_err(|source| self.unread(path, source))?;
        Ok(true)
    }

    /// The names in a folder, links followed; none where there is no folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        match self.follow(folder.as_bytes()).map(|node| &node.form) {
            Some(Form::Directory(entries)) => {
                entries.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn unread(&self, path: &str, source: CopyError) -> DiffError {
        DiffError::Content { image: self.path.clone(), path: path.to_owned(), source: Box::new(source) }
    }
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}
