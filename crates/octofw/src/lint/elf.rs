//! Programs and libraries: whether the printer can load them.

use super::finding::Findings;
use super::rule::{Rule, Severity};
use super::run::{Content, Context};
use crate::elf::Elf;
use crate::rootfs::architecture::Architecture;

/// Largest program that is looked into, in bytes.
const MOST_READ: u64 = 128 << 20;
/// Libraries of one program that are looked for.
const MOST_NEEDS: usize = 500;

const MACHINE: Rule = Rule {
    code: "elf/machine",
    severity: Severity::Error,
    needs_base: false,
    what: "A program or library is not for 64-bit ARM.",
    why: "The printer cannot start it (`Exec format error`). The community's builder lets 32-bit ARM pass, \
          for which the root has no loader.",
    fix: "build it for aarch64 (Rust: aarch64-unknown-linux-musl; Go: GOARCH=arm64)",
};
const UNREADABLE: Rule = Rule {
    code: "elf/unreadable",
    severity: Severity::Error,
    needs_base: false,
    what: "A file begins like a program but is damaged.",
    why: "A download that was cut off, or a Git LFS pointer's other half: the printer starts it and gets \
          nowhere.",
    fix: "fetch or build it anew, and check its sum",
};
const INTERPRETER: Rule = Rule {
    code: "elf/missing-loader",
    severity: Severity::Error,
    needs_base: true,
    what: "The loader that a program names is not in the root.",
    why: "Starting it says `No such file or directory` though the file is there: a program for musl on a \
          system with \
          glibc, or one built by Nix.",
    fix: "link it statically, or against the base's own C library",
};
const LIBRARY: Rule = Rule {
    code: "elf/missing-library",
    severity: Severity::Error,
    needs_base: true,
    what: "A library that a program needs is not in the root.",
    why: "It ends at once, and no package manager is there to help. An rsync that wanted libcrypto.so.1.1 \
          reached its users so.",
    fix: "link it statically, or ship the library beside it",
};
const RPATH: Rule = Rule {
    code: "elf/host-rpath",
    severity: Severity::Warning,
    needs_base: false,
    what: "A program looks for its libraries in a folder of the machine that built it.",
    why: "On the printer that folder is not there, or anybody can make it (/tmp) and have root load what \
          lies in it.",
    fix: "take it out with patchelf --remove-rpath, or build with $ORIGIN",
};
const NOT_STRIPPED: Rule = Rule {
    code: "elf/not-stripped",
    severity: Severity::Warning,
    needs_base: false,
    what: "A program still has its table of symbols.",
    why: "The root has 300 MiB and is nearly full; symbols are a third of many programs, and the printer \
          does not use them.",
    fix: "strip it (aarch64-linux-gnu-strip), and keep the symbols elsewhere",
};

pub(super) const RULES: &[&Rule] = &[&MACHINE, &UNREADABLE, &INTERPRETER, &LIBRARY, &RPATH, &NOT_STRIPPED];

/// Where the loader looks by itself.
const FOLDERS: [&str; 9] = [
    "lib",
    "lib64",
    "usr/lib",
    "usr/lib64",
    "usr/local/lib",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/local/lib/aarch64-linux-gnu",
    "oem/usr/lib",
];
/// Places of the printer from which a program may load.
const OWN_PLACES: [&str; 6] = ["/lib", "/usr/lib", "/usr/local/lib", "/opt", "/home/lava", "/oem"];

pub(super) fn look(content: &Content<'_>, context: &Context<'_>, size: u64, findings: &mut Findings) {
    let at = content.at();
    let machine = Architecture::of_head(content.bytes);
    if machine != Architecture::Aarch64 {
        findings.add(&MACHINE, at, format!("it is for {}, the printer is aarch64", machine.name()));
        return;
    }
    if size > MOST_READ {
        findings.add(&UNREADABLE, at, format!("with {size} bytes it is too large to be looked into"));
        return;
    }
    let whole;
    let bytes = if content.bytes.len() as u64 >= size {
        content.bytes
    } else {
        whole = context.read(content.item, MOST_READ as usize).unwrap_or_default();
        &whole
    };
    let elf = match Elf::read(bytes) {
        Ok(elf) => elf,
        Err(error) => {
            findings.add(&UNREADABLE, at, format!("it is no sound program: {error}"));
            return;
        }
    };
    // Kernel modules and object files are linked by their symbols.
    let is_linked_later = [".ko", ".o", ".a"].iter().any(|end| content.path.ends_with(end));
    if !elf.stripped && !is_linked_later {
        findings.add(&NOT_STRIPPED, at, format!("it has a table of symbols ({size} bytes in all)"));
    }
    for folder in &elf.search {
        if let Some(why) = foreign(folder) {
            findings.add(&RPATH, at, format!("it looks for libraries in {folder:?}, {why}"));
        }
    }
    if context.layers.has_base() {
        look_at_needs(content, context, &elf, findings);
    }
}

/// Why a folder of a search path is none of the printer's.
fn foreign(folder: &str) -> Option<&'static str> {
    let is_own = OWN_PLACES.iter().any(|place| {
        folder == *place || folder.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
    });
    match folder {
        "" => Some("which is wherever it is started"),
        _ if folder.starts_with("$ORIGIN") || folder.starts_with("${ORIGIN}") || is_own => None,
        _ if !folder.starts_with('/') => Some("which depends on where it is started"),
        _ => Some("a folder of the machine that built it"),
    }
}

fn look_at_needs(content: &Content<'_>, context: &Context<'_>, elf: &Elf, findings: &mut Findings) {
    let layers = context.layers;
    if let Some(loader) = &elf.interpreter
        && layers.follow(loader).is_none_or(|found| !found.is_file)
        && !layers.may_be_made(loader)
    {
        findings.add(&INTERPRETER, content.at(), format!("its loader {loader} is not in the root"));
    }
    let here = content.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut folders: Vec<String> =
        elf.search.iter().map(|folder| folder.replace("${ORIGIN}", here).replace("$ORIGIN", here)).collect();
    folders.extend(FOLDERS.map(str::to_owned));
    let listed = layers.base_content("etc/ld.so.conf", 64 << 10).unwrap_or_default();
    folders.extend(String::from_utf8_lossy(&listed).lines().map(|line| line.trim().to_owned()));
    for library in elf.needs.iter().take(MOST_NEEDS) {
        let is_there = match library.contains('/') {
            true => layers.follow(library).is_some(),
            false => folders.iter().any(|folder| layers.follow(&format!("{folder}/{library}")).is_some()),
        };
        if !is_there && !layers.may_be_made(library) {
            findings.add(&LIBRARY, content.at(), format!("it needs {library}, which is not in the root"));
        }
    }
}
