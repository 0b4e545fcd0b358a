//! The file that goes with a program: each crate in it with its licence, and the texts that lie in the crates. A text
//! that several crates have is there once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{LicenceError, file_error};
use crate::sbom::bom::{Bom, Component};
use crate::sbom::program::Sources;

/// How the names of files begin that hold licences and what must be passed on with them.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT"];
/// How those end that hold something about licences instead.
const OTHERS: [&str; 3] = [".TOML", ".RS", ".JSON"];
/// Longer files hold something else, in bytes.
const LONGEST: u64 = 256 * 1024;

/// Collects the texts of every crate of a program's bill. `sources` tells where each lies.
///
/// # Errors
/// When a crate's folder or a text cannot be read.
pub fn collect(program: &Bom, sources: &Sources) -> Result<String, LicenceError> {
    let subject = &program.metadata.component;
    let mut out = format!(
        "Licences of {} and of the crates that are part of it.\n\nThe program also holds Rust's standard library (MIT OR \
         Apache-2.0) and, where it is static, the C\nlibrary musl (MIT, Copyright 2005-2020 Rich Felker, et al.).\n\n",
        named(subject)
    );
    let mut texts: Vec<String> = Vec::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for part in std::iter::once(subject).chain(&program.components) {
        let licence = part.licenses.first().map_or("no licence stated", |licence| &licence.expression);
        let mut own = Vec::new();
        for text in sources.folder(part).map(texts_of).transpose()?.unwrap_or_default() {
            // Line ends and blanks differ between copies of one text.
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let number = *numbers.entry(words).or_insert_with(|| {
                texts.push(text);
                texts.len()
            });
            if !own.contains(&number.to_string()) {
                own.push(number.to_string());
            }
        }
        let own = if own.is_empty() { String::new() } else { format!(" (text {})", own.join(", ")) };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}: {licence}{own}", named(part));
    }
    for (index, text) in texts.iter().enumerate() {
        let _ = write!(out, "\n{}\nText {}\n\n{}\n", "=".repeat(79), index + 1, text.trim_end());
    }
    Ok(out)
}

fn named(part: &Component) -> String {
    format!("{} {}", part.name, part.version.as_deref().unwrap_or_default())
}

/// The texts in a crate's folder, by name.
fn texts_of(folder: &Path) -> Result<Vec<String>, LicenceError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(file_error("list", folder))? {
        let entry = entry.map_err(file_error("list", folder))?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let path = entry.path();
        let fits = fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= LONGEST);
        let is_text = NAMES.iter().any(|begin| name.starts_with(begin))
            && !OTHERS.iter().any(|end| name.ends_with(end));
        if fits && is_text {
            found.push(path);
        }
    }
    found.sort();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).map_err(file_error("read", path))?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    };
    found.iter().map(read).collect()
}
