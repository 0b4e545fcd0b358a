//! One folder of vectors: a line for each, and their sum.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

/// What became of a vector.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It gives what it should. With what it gives, where nothing is said about that.
    Ok(Option<String>),
    /// It does not: the first difference.
    Failed(String),
    /// It was not tried, and why.
    Skipped(String),
}

/// How many vectors passed, failed and were skipped.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// The vectors in `folder`: files whose names end with `suffix` and contain one of `wanted`, if anything is.
pub(crate) fn vectors(folder: &Path, suffix: &str, wanted: &[String]) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = name(path, suffix);
        name.is_some_and(|name| {
            wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()))
        })
    });
    paths.sort();
    paths
}

/// The vectors in `folder` and in the folders in it, which may be generations.
pub(crate) fn with_subfolders(folder: &Path, suffix: &str, wanted: &[String]) -> Vec<PathBuf> {
    let mut paths = vectors(folder, suffix, wanted);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    paths.extend(folders.iter().flat_map(|folder| vectors(folder, suffix, wanted)));
    paths
}

/// Tries every vector, on all cores, and prints their lines in order.
pub(crate) fn run(title: &str, paths: &[PathBuf], suffix: &str, verdict: fn(&Path) -> Verdict) -> Sum {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..paths.len()).collect());
    let done: Mutex<Vec<Option<Verdict>>> = Mutex::new(paths.iter().map(|_| None).collect());
    let more = Condvar::new();
    let mut sum = Sum::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(index) = { waiting.lock().unwrap().pop_front() } {
                    let found = catch_unwind(AssertUnwindSafe(|| verdict(&paths[index])));
                    let found = found.unwrap_or_else(|panic| Verdict::Failed(words(panic.as_ref())));
                    done.lock().unwrap()[index] = Some(found);
                    more.notify_one();
                }
            });
        }
        for (index, path) in paths.iter().enumerate() {
            let name = name(path, suffix).unwrap();
            let mut done = more.wait_while(done.lock().unwrap(), |done| done[index].is_none()).unwrap();
            match done[index].take().unwrap() {
                Verdict::Ok(shown) => {
                    sum.passed += 1;
                    println!("{title} {name} ok");
                    shown.iter().for_each(|shown| println!("{shown}"));
                }
                Verdict::Failed(difference) => {
                    sum.failed += 1;
                    println!("{title} {name} FAILED: {difference}");
                }
                Verdict::Skipped(reason) => {
                    sum.skipped += 1;
                    println!("{title} {name} skipped: {reason}");
                }
            }
        }
    });
    println!("{title}: {} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    sum
}

fn name(path: &Path, suffix: &str) -> Option<String> {
    Some(path.file_name()?.to_str()?.strip_suffix(suffix)?.to_owned())
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
