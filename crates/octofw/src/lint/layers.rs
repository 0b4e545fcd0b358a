//! The root as it will be: the base with every overlay's `root/` on top. What scripts make is not known, only named.

use std::collections::{BTreeMap, VecDeque};

use super::subject::{Form, Subject, stored_beginning};
use crate::diff::root::Root;
use crate::squashfs::tree::{Form as StoredForm, Node};

/// Links that are followed before a chain counts as a loop, as in Linux.
const MOST_LINKS: usize = 40;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The path without any link in it.
    pub(super) path: String,
    /// Its permission bits.
    pub(super) mode: u32,
    /// Whether it is a file, as opposed to a folder or something special.
    pub(super) is_file: bool,
}

/// The root as it will be.
pub(super) struct Layers<'a> {
    base: Option<&'a Root>,
    added: BTreeMap<String, (u32, Form)>,
    /// What scripts of the overlays say, in which a path may be named.
    scripts: Vec<String>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(base: Option<&'a Root>, subjects: &[Subject], scripts: Vec<String>) -> Self {
        let mut layers = Self { base, added: BTreeMap::new(), scripts };
        for subject in subjects.iter().filter(|subject| !subject.is_image()) {
            for item in &subject.items {
                // An existing file keeps its mode; a new one has what its run bit says.
                let known = layers.look(&item.path).filter(|(_, form)| matches!(form, Form::File(_)));
                let mode = match (&item.form, known) {
                    (Form::File(_), Some((mode, _))) => mode,
                    (Form::File(_), None) if item.mode & 0o100 == 0 => 0o644,
                    _ => 0o755,
                };
                layers.added.insert(item.path.clone(), (mode, item.form.clone()));
            }
        }
        layers
    }

    /// Whether there is a base, so that what is not found is missing.
    pub(super) fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// What is at a path itself, no link followed.
    pub(super) fn look(&self, path: &str) -> Option<(u32, Form)> {
        if let Some((mode, form)) = self.added.get(path) {
            return Some((*mode, form.clone()));
        }
        let base = self.base?;
        base.tree.node(base.tree.find(path.as_bytes())?).map(|node| (u32::from(node.mode), form_of(node)))
    }

    /// What a path leads to, links followed.
    pub(super) fn follow(&self, path: &str) -> Option<Found> {
        let mut todo: VecDeque<String> = parts(path).collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        let mut last = (0o755, Form::Folder);
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                done.pop();
                last = (0o755, Form::Folder);
                continue;
            }
            done.push(part);
            let (mode, form) = self.look(&done.join("/"))?;
            if let Form::Link(target) = &form {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                done.pop();
                if target.starts_with('/') {
                    done.clear();
                }
                for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(part);
                }
                last = (0o755, Form::Folder);
                continue;
            }
            if form != Form::Folder && !todo.is_empty() {
                return None;
            }
            last = (mode, form);
        }
        Some(Found { path: done.join("/"), mode: last.0, is_file: matches!(last.1, Form::File(_)) })
    }

    /// Whether a script of an overlay names a path, so that it may be there in the end.
    pub(super) fn may_be_made(&self, path: &str) -> bool {
        let name = super::shell::base_name(path);
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        !name.is_empty()
            && self.scripts.iter().any(|script| {
                script.match_indices(name).any(|(place, _)| {
                    let before = script.get(..place).and_then(|text| text.chars().next_back());
                    let behind = script.get(place + name.len()..).and_then(|text| text.chars().next());
                    !before.is_some_and(is_part) && !behind.is_some_and(is_part)
                })
            })
    }

    /// What of the base keeps a patch from changing or making a path, as the end of a sentence.
    pub(super) fn in_the_way(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for here in ends.filter_map(|end| path.get(..end)) {
            let is_last = here.len() == path.len();
            let which = if is_last { "which".to_owned() } else { format!("but /{here}") };
            match &self.in_base(here)?.form {
                StoredForm::Directory(_) if !is_last => {}
                StoredForm::File(_) if is_last => {}
                StoredForm::Link(target) => {
                    let target = String::from_utf8_lossy(target);
                    return Some(format!(
                        "{which} is a link to {target} in the base; patch the file that it leads to"
                    ));
                }
                _ if is_last => return Some(format!("{which} is no file in the base")),
                _ => return Some(format!("{which} is no folder in the base")),
            }
        }
        None
    }

    /// The node of a file of the base, no link followed.
    pub(super) fn in_base(&self, path: &str) -> Option<&'a Node> {
        let base = self.base?;
        base.tree.node(base.tree.find(path.as_bytes())?)
    }

    /// Whether what a path of the base leads to is in the base.
    pub(super) fn base_leads(&self, path: &str) -> bool {
        self.base.is_some_and(|base| base.follow(path.as_bytes()).is_some())
    }

    /// The beginning of a file of the base.
    pub(super) fn base_content(&self, path: &str, most: usize) -> Option<Vec<u8>> {
        match (&self.in_base(path)?.form, self.base) {
            (StoredForm::File(stored), Some(base)) => stored_beginning(&base.filesystem, stored, most).ok(),
            _ => None,
        }
    }

    /// Names of the files in a folder of the base.
    pub(super) fn names_in_base(&self, folder: &str) -> Vec<String> {
        self.base.map(|base| base.names(folder)).unwrap_or_default()
    }
}

fn form_of(node: &Node) -> Form {
    match &node.form {
        StoredForm::Directory(_) => Form::Folder,
        StoredForm::File(stored) => Form::File(stored.size),
        StoredForm::Link(target) => Form::Link(String::from_utf8_lossy(target).into_owned()),
        _ => Form::Special,
    }
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned)
}
