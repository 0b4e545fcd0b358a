//! What is loaded in each toolhead, as the vendor's firmware tells it (`print_task_config`): lists with an entry for each
//! toolhead, by its number.

use crate::printer::Filament;
use crate::source::moonraker::lenient::{List, Scalar};
use crate::source::moonraker::wire::clipped;
use std::borrow::Cow;
use std::sync::Arc;

/// Most entries that are read.
const MOST: usize = 32;
/// Longest text that is kept, in bytes.
const MOST_TEXT: usize = 64;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spools {
    Loaded,
    Material,
    Kind,
    Maker,
    Colour,
}

impl Spools {
    /// The list of that name, if it is read.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "filament_exist" => Self::Loaded,
            "filament_type" => Self::Material,
            "filament_sub_type" => Self::Kind,
            "filament_vendor" => Self::Maker,
            "filament_color_rgba" => Self::Colour,
            _ => return None,
        })
    }
}

/// An entry of any of the lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Text(Arc<str>),
    Flag(bool),
}

impl Scalar<'_> for Entry {
    fn of_text(text: Cow<'_, str>) -> Option<Self> {
        Some(Self::Text(clipped(&text, MOST_TEXT).into()))
    }

    fn of_bool(flag: bool) -> Option<Self> {
        Some(Self::Flag(flag))
    }
}

pub(super) type Entries = List<Entry, MOST>;

/// Puts a list into what is known. Returns whether something else is known now.
pub(super) fn merge(filaments: &mut [Filament], what: Spools, entries: &[Entry]) -> bool {
    // One that is short lacks an entry somewhere, so that none can be told whose it is.
    let whole = filaments.last().is_some_and(|last| entries.len() > usize::from(last.toolhead));
    let mut changed = false;
    for filament in filaments {
        let entry = entries.get(usize::from(filament.toolhead)).filter(|_| whole);
        let before = filament.clone();
        match (what, entry) {
            (Spools::Loaded, Some(Entry::Flag(flag))) => filament.loaded = Some(*flag),
            (Spools::Loaded, _) => filament.loaded = None,
            (Spools::Material, entry) => filament.material = entry.and_then(text),
            (Spools::Kind, entry) => filament.kind = entry.and_then(text),
            (Spools::Maker, entry) => filament.maker = entry.and_then(text),
            (Spools::Colour, entry) => filament.colour = entry.and_then(colour),
        }
        changed |= *filament != before;
    }
    changed
}

/// A text; the vendor writes `NONE` for nothing.
fn text(entry: &Entry) -> Option<Arc<str>> {
    match entry {
        Entry::Text(text) if !text.is_empty() && !text.eq_ignore_ascii_case("none") => Some(Arc::clone(text)),
        _ => None,
    }
}

/// Red, green and blue in hexadecimal digits, and what else follows.
fn colour(entry: &Entry) -> Option<[u8; 3]> {
    let Entry::Text(text) = entry else { return None };
    let part = |at: usize| {
        let part = text.get(at..at + 2).filter(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u8::from_str_radix(part, 16).ok()
    };
    Some([part(0)?, part(2)?, part(4)?])
}
