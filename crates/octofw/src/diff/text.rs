//! The report as text for people.

use std::fmt::{self, Display, Formatter};

use super::init::InitWhat;
use super::paths::{Content, Facts, PathChange};
use super::{ProgramChange, Report};
use crate::elf::Elf;
use crate::paint::plain;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_same() {
            return writeln!(f, "{} and {} hold the same.", self.a, self.b);
        }
        writeln!(f, "a  {}\nb  {}", self.a, self.b)?;
        head(f, "Image", self.image.len())?;
        for change in &self.image {
            writeln!(f, "  {}: {}", change.field, turn(change.a.as_deref(), change.b.as_deref()))?;
        }
        self.paths(f)?;
        head(f, "Started at boot", self.init.len())?;
        for change in &self.init {
            let (sign, what) = match change.what {
                InitWhat::Starts => ('+', ""),
                InitWhat::Gone => ('-', ""),
                InitWhat::NotExecutable => ('-', ", is there but may not be executed"),
            };
            let after = change.after.as_ref().map(|name| format!(", after {}", plain(name)));
            writeln!(f, "  {sign} {}{}{what}", plain(&change.script), after.unwrap_or_default())?;
        }
        head(f, "Settings", self.settings.len())?;
        let mut file = "";
        for change in &self.settings {
            if change.path != file {
                file = &change.path;
                writeln!(f, "  {file}")?;
            }
            let key = format!("[{}] {}", plain(&change.section), plain(&change.key));
            writeln!(f, "    {key}: {}", turn(change.a.as_deref(), change.b.as_deref()))?;
        }
        head(f, "Programs and libraries", self.programs.len())?;
        for change in &self.programs {
            program(f, change)?;
        }
        head(f, "Packages", self.packages.len())?;
        for change in &self.packages {
            let versions = turn(change.a.as_deref(), change.b.as_deref());
            writeln!(f, "  {} ({}): {versions}", plain(&change.name), change.kind)?;
        }
        Ok(())
    }
}

impl Report {
    fn paths(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count = |is: fn(&PathChange) -> bool| self.paths.iter().filter(|change| is(change)).count();
        let added = count(|change| change.a.is_none());
        let gone = count(|change| change.b.is_none());
        let changed = self.paths.len().saturating_sub(added).saturating_sub(gone);
        head(f, &format!("Paths: {added} added, {changed} changed, {gone} gone"), self.paths.len())?;
        for change in &self.paths {
            match (&change.a, &change.b) {
                (None, Some(facts)) => writeln!(f, "  + {}  {}", change.path, described(facts))?,
                (Some(facts), None) => writeln!(f, "  - {}  {}", change.path, described(facts))?,
                (Some(a), Some(b)) => writeln!(f, "  ~ {}  {}", change.path, turned(a, b, change.content))?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// A heading, if there is anything below it.
fn head(f: &mut Formatter<'_>, title: &str, rows: usize) -> fmt::Result {
    if rows == 0 { Ok(()) } else { writeln!(f, "\n{title}") }
}

fn turn(a: Option<&str>, b: Option<&str>) -> String {
    let shown = |value: Option<&str>| match value {
        None => "none".to_owned(),
        Some(value) => plain(&value.replace('\n', " | ")),
    };
    format!("{} -> {}", shown(a), shown(b))
}

fn described(facts: &Facts) -> String {
    let mut text = format!("{} {} {}:{}", facts.kind, facts.mode, facts.uid, facts.gid);
    let mut more = |what: String| text.push_str(&format!(", {what}"));
    if let Some(size) = facts.size {
        more(format!("{size} bytes"));
    }
    if let Some(target) = &facts.target {
        more(format!("to {target}"));
    }
    if let Some(device) = &facts.device {
        more(device.clone());
    }
    if !facts.links.is_empty() {
        more(format!("also {}", names(facts)));
    }
    text
}

/// What differs between two inodes, and nothing else.
fn turned(a: &Facts, b: &Facts, content: Content) -> String {
    if a.kind != b.kind {
        return format!("{} -> {}", described(a), described(b));
    }
    let mut parts = Vec::new();
    let mut part = |name: &str, a: String, b: String| {
        if a != b {
            parts.push(format!("{name} {a} -> {b}"));
        }
    };
    part("mode", a.mode.clone(), b.mode.clone());
    part("owner", format!("{}:{}", a.uid, a.gid), format!("{}:{}", b.uid, b.gid));
    let number = |value: Option<u64>| value.unwrap_or_default().to_string();
    part("bytes", number(a.size), number(b.size));
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    part("to", text(&a.target), text(&b.target));
    part("device", text(&a.device), text(&b.device));
    part("further names", names(a), names(b));
    part("time", a.modified.to_string(), b.modified.to_string());
    if content == Content::Differs && a.size == b.size {
        parts.push("content".to_owned());
    }
    if parts.is_empty() {
        // Behind those that are told.
        parts.push("further names".to_owned());
    }
    parts.join(", ")
}

fn names(facts: &Facts) -> String {
    match facts.more_links {
        0 => facts.links.join(", "),
        more => format!("{} and {more} more", facts.links.join(", ")),
    }
}

fn program(f: &mut Formatter<'_>, change: &ProgramChange) -> fmt::Result {
    if let (None, Some(elf)) | (Some(elf), None) = (&change.a, &change.b) {
        let sign = if change.a.is_none() { '+' } else { '-' };
        let symbols = if elf.stripped { "stripped" } else { "with symbols" };
        let loader = elf.interpreter.as_ref().map(|name| format!("loaded by {}", plain(name)));
        let loader = loader.unwrap_or_else(|| "static".to_owned());
        let needs = match elf.needs.join(" ") {
            names if names.is_empty() => names,
            names => format!(", needs {}", plain(&names)),
        };
        return writeln!(f, "  {sign} {}  {}, {loader}{needs}, {symbols}", change.path, elf.machine);
    }
    let list = |elf: Option<&Elf>| elf.map(|elf| elf.needs.clone()).unwrap_or_default();
    let (a, b) = (list(change.a.as_ref()), list(change.b.as_ref()));
    let signed = |sign: char, list: &[String], other: &[String]| -> Vec<String> {
        list.iter()
            .filter(|name| !other.contains(name))
            .map(|name| format!("{sign}{}", plain(name)))
            .collect()
    };
    let mut parts = signed('+', &b, &a);
    parts.extend(signed('-', &a, &b));
    let mut part = |name: &str, value: fn(&Elf) -> String| {
        let (a, b) = (change.a.as_ref().map(value), change.b.as_ref().map(value));
        if a != b {
            parts.push(format!("{name}: {}", turn(a.as_deref(), b.as_deref())));
        }
    };
    part("machine", |elf| elf.machine.clone());
    part("loaded by", |elf| elf.interpreter.clone().unwrap_or_else(|| "nothing".to_owned()));
    part("looks in", |elf| elf.search.join(":"));
    part("symbols", |elf| if elf.stripped { "stripped" } else { "there" }.to_owned());
    writeln!(f, "  ~ {}  {}", change.path, parts.join(", "))
}
