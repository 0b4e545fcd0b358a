//! `octofw cache`, and how commands that fetch use the cache and keep its bound.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Failure, Status, print, print_json};
use crate::cache::{self, Alone, CacheError, DEFAULT_BOUND, Entry, Using, bytes_of, entries, goes};
use crate::calendar::date_and_time;
use crate::paint::{Ink, Paint, bytes, count};

/// Variable: most bytes that are kept.
const BOUND: &str = "OCTOFW_CACHE_SIZE";

/// Shows what is kept of what builds fetched, or clears it away
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: octofw cache\n\
                        Example: octofw cache prune --cache-size 500MB\n\
                        What was not used for longest is on top, and goes first. Builds keep the bound by themselves, \
                        when they end.\n\
                        The cache is the folder of --cache, else of OCTOFW_CACHE, else tmp/cache/octofw in the firmware \
                        tree of --tree, else .cache/octofw beside an octofw.lock in the current folder, else octofw in \
                        XDG_CACHE_HOME or ~/.cache.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(List),
    Prune(Prune),
    Clear(Clear),
}

/// Shows what is in the cache, with sizes, and what would go
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

/// Removes what was not used for longest, until the rest is within the bound
#[derive(Debug, clap::Args)]
struct Prune {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    how: Removal,
}

/// Removes everything
#[derive(Debug, clap::Args)]
struct Clear {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    tree: Tree,
    #[command(flatten)]
    how: Removal,
}

/// Which cache it is about, and its bound.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    options: CacheOptions,
    #[command(flatten)]
    tree: Tree,
}

#[derive(Debug, clap::Args)]
struct Tree {
    /// The cache of builds of this firmware tree
    #[arg(long, value_name = "DIR", conflicts_with = "cache")]
    tree: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Removal {
    /// Tell what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct Folder {
    /// Folder of what is fetched (default: OCTOFW_CACHE, or as `octofw cache --help` tells)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// Options of the commands that fetch.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CacheOptions {
    #[command(flatten)]
    folder: Folder,
    /// Most that is kept there when the command ends, such as 500MB or 2GiB; 0 is without bound (default:
    /// OCTOFW_CACHE_SIZE, else 2GiB)
    #[arg(long, value_name = "SIZE", value_parser = bytes_of)]
    cache_size: Option<u64>,
}

impl Folder {
    fn path(&self, tree: Option<&Path>) -> Result<PathBuf, Failure> {
        let here = std::env::current_dir().map_err(|error| {
            Failure::new(Status::Findings, format!("cannot find the current directory: {error}"))
        })?;
        Ok(cache::folder(self.cache.as_deref(), tree, &here, |name| std::env::var_os(name)))
    }
}

impl CacheOptions {
    fn bound(&self) -> Result<u64, Failure> {
        let set = std::env::var(BOUND).ok().filter(|value| !value.trim().is_empty());
        match (self.cache_size, set) {
            (Some(given), _) => Ok(given),
            (None, None) => Ok(DEFAULT_BOUND),
            (None, Some(text)) => bytes_of(&text)
                .map_err(|problem| Failure::new(Status::Usage, format!("{BOUND} is {text:?}: {problem}"))),
        }
    }

    /// Begins to use the cache. It is made if `make` says so; one that cannot be made or written fails whoever needs it.
    pub(super) fn begin(&self, tree: Option<&Path>, make: bool) -> Result<InUse, Failure> {
        let (folder, bound) = (self.folder.path(tree)?, self.bound()?);
        let using = (make || folder.is_dir()).then(|| Using::begin(&folder).ok()).flatten();
        Ok(InUse { folder, bound, since: SystemTime::now(), using })
    }
}

/// The cache, while a command uses it.
#[derive(Debug)]
pub(super) struct InUse {
    folder: PathBuf,
    bound: u64,
    since: SystemTime,
    using: Option<Using>,
}

impl InUse {
    /// Where it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The command has done its work: now the bound is kept, unless another command uses the cache, which will do it then,
    /// or nothing could be fetched again. That a cache cannot be cleared up is no reason to fail.
    pub(super) fn end(self, offline: bool) {
        drop(self.using);
        if offline || !self.folder.is_dir() {
            return;
        }
        let kept = Alone::try_begin(&self.folder).and_then(|alone| {
            let Some(alone) = alone else { return Ok(Vec::new()) };
            let going = going(entries(&self.folder)?, self.bound, Some(self.since));
            alone.remove(&going).map(|()| going)
        });
        let said = match kept {
            Ok(gone) if gone.is_empty() => return,
            Ok(gone) => format!("octofw: note: {} of the cache removed, to keep its bound", told(&gone)),
            Err(error) => format!("octofw: warning: {}", crate::command::whole(&error)),
        };
        let _ = writeln!(io::stderr().lock(), "{said}");
    }
}

fn going(entries: Vec<Entry>, bound: u64, since: Option<SystemTime>) -> Vec<Entry> {
    let going = goes(&entries, bound, since);
    entries.into_iter().zip(going).filter(|(_, goes)| *goes).map(|(entry, _)| entry).collect()
}

/// `2 entries (12.0 MB)`.
fn told(entries: &[Entry]) -> String {
    let size = entries.iter().map(|entry| entry.size).sum();
    format!("{} ({})", count(entries.len(), "entry", "entries"), bytes(size))
}

#[derive(Serialize)]
struct Row<'a> {
    kind: cache::Kind,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    size: u64,
    /// When it was used last, in seconds since 1970.
    used: i64,
    /// Whether it goes when the bound is kept, or is gone.
    goes: bool,
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry, goes: bool) -> Self {
        let used = match entry.used.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
        };
        let Entry { kind, path, name, size, .. } = entry;
        Row { kind: *kind, path, name: name.as_deref(), size: *size, used, goes }
    }
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    path: String,
    /// Most bytes that are kept, if that was asked; 0 is without bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<u64>,
    total: u64,
    /// Whether something was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<bool>,
    entries: Vec<Row<'a>>,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        match self.what {
            None => self.list.run(paint),
            Some(What::List(list)) => list.run(paint),
            Some(What::Prune(Prune { place, how })) => {
                let bound = place.options.bound()?;
                how.run(&place.folder()?, Some(bound), |all| going(all, bound, None))
            }
            Some(What::Clear(Clear { folder, tree, how })) => {
                how.run(&folder.path(tree.tree.as_deref())?, None, |all| all)
            }
        }
    }
}

impl Place {
    fn folder(&self) -> Result<PathBuf, Failure> {
        self.options.folder.path(self.tree.tree.as_deref())
    }
}

impl List {
    fn run(self, paint: Paint) -> Result<Status, Failure> {
        let (folder, bound) = (self.place.folder()?, self.place.options.bound()?);
        let found = entries(&folder)?;
        let goes = goes(&found, bound, None);
        let rows: Vec<Row<'_>> = found.iter().zip(goes).map(|(entry, goes)| Row::of(entry, goes)).collect();
        if self.json {
            let (path, total) = (folder.display().to_string(), rows.iter().map(|row| row.size).sum());
            let bound = Some(bound);
            print_json(&JsonReport { schema: 1, path, bound, total, removed: None, entries: rows })?;
        } else {
            print(&listed(&folder, bound, &rows, paint))?;
        }
        Ok(Status::Fine)
    }
}

/// The list for people.
fn listed(folder: &Path, bound: u64, rows: &[Row<'_>], paint: Paint) -> String {
    let mut text = format!("{}\n", paint.ink(Ink::Strong, folder.display()));
    for row in rows {
        let (date, time) = date_and_time(row.used);
        let path = row.path.split_once('/').map_or(row.path, |(_, name)| name);
        let name = row
            .name
            .map_or_else(|| path.to_owned(), |name| format!("{name} ({}…)", path.get(..12).unwrap_or(path)));
        let sign = if row.goes { paint.ink(Ink::Gone, "-") } else { paint.ink(Ink::Faint, " ") };
        let (kind, size) = (row.kind.word(), bytes(row.size));
        text.push_str(&format!("{sign} {size:>9}  {date} {time}  {kind:<10}  {name}\n"));
    }
    let total = rows.iter().map(|row| row.size).sum();
    let bound = if bound == 0 { "no bound".to_owned() } else { format!("the bound is {}", bytes(bound)) };
    text.push_str(&format!("{}, {}; {bound}\n", count(rows.len(), "entry", "entries"), bytes(total)));
    let gone: Vec<u64> = rows.iter().filter(|row| row.goes).map(|row| row.size).collect();
    if !gone.is_empty() {
        let size = bytes(gone.iter().sum());
        let what = count(gone.len(), "entry", "entries");
        text.push_str(&format!("- {what}, {size}, may go: octofw cache prune, or the next build\n"));
    }
    text
}

impl Removal {
    fn run(
        &self,
        folder: &Path,
        bound: Option<u64>,
        choose: impl Fn(Vec<Entry>) -> Vec<Entry>,
    ) -> Result<Status, Failure> {
        let mut gone = choose(entries(folder)?);
        if !self.dry_run && !gone.is_empty() {
            let Some(alone) = Alone::try_begin(folder)? else {
                let text = format!(
                    "another command uses the cache {}; try again when it has ended",
                    folder.display()
                );
                return Err(Failure::new(Status::Findings, text));
            };
            gone = choose(entries(folder)?);
            alone.remove(&gone)?;
        }
        if self.json {
            print_json(&JsonReport {
                schema: 1,
                path: folder.display().to_string(),
                bound,
                total: gone.iter().map(|entry| entry.size).sum(),
                removed: Some(!self.dry_run && !gone.is_empty()),
                entries: gone.iter().map(|entry| Row::of(entry, true)).collect(),
            })?;
        } else {
            let done = if self.dry_run { "would be removed" } else { "removed" };
            print(&format!("{}: {} {done}\n", folder.display(), told(&gone)))?;
        }
        Ok(Status::Fine)
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        let status = match error {
            CacheError::Foreign { .. } => Status::Usage,
            CacheError::System { .. } => Status::Findings,
        };
        Self::new(status, error)
    }
}
