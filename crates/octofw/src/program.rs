//! Whether a built program can run on the printer: it has no foreign libraries and no room to waste, so the program
//! must be one static, stripped aarch64 file. Reads ELF headers only (System V ABI, `elf(5)`).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::container::SourceFile;

/// What a program breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// 32 bits, or big-endian.
    Class,
    /// Another processor; the number of `e_machine`.
    Machine(u16),
    /// An object or core file; the number of `e_type`.
    NotExecutable(u16),
    /// It needs an interpreter to load it.
    Interpreter(String),
    /// It needs this many shared libraries.
    SharedLibraries(usize),
    /// It carries a symbol table.
    NotStripped,
    /// It is larger than allowed.
    TooLarge {
        /// Bytes it has.
        size: u64,
        /// Bytes it may have.
        limit: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class => f.write_str(
                "it is not a 64-bit little-endian program; build it for aarch64-unknown-linux-musl",
            ),
            Self::Machine(number) => write!(
                f,
                "it is built for machine {number}{}, not aarch64 (183); build it for aarch64-unknown-linux-musl",
                match number {
                    3 => " (x86)",
                    40 => " (arm)",
                    62 => " (x86-64)",
                    243 => " (RISC-V)",
                    _ => "",
                }
            ),
            Self::NotExecutable(number) => {
                write!(f, "it is no executable (ELF type {number}); give the linked program")
            }
            Self::Interpreter(path) => write!(
                f,
                "it is loaded by {path}, which the printer may not have; link it statically (target \
                 aarch64-unknown-linux-musl)"
            ),
            Self::SharedLibraries(count) => {
                write!(f, "it needs {count} shared libraries (DT_NEEDED); link it statically")
            }
            Self::NotStripped => f.write_str(
                "it carries a symbol table (.symtab); build with `strip = true` or run strip on it",
            ),
            Self::TooLarge { size, limit } => write!(
                f,
                "it has {size} bytes, {} more than the {limit} allowed",
                size.saturating_sub(*limit)
            ),
        }
    }
}

/// Why a program cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The system refuses.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No ELF file, or a broken one.
    #[error("{path} is not a program: {reason}; give the built ELF file")]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl ProgramError {
    /// Whether the file is not what it claims to be.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, Self::NotElf { .. })
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Bytes of the program.
    pub size: u64,
    /// What it breaks; empty if it may run on the printer.
    pub violations: Vec<Violation>,
}

const AARCH64: u16 = 183;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const SHT_SYMTAB: u32 = 2;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
/// More than any dynamic section has.
const MAX_DYNAMIC: u64 = 65_536;

/// Checks a program.
///
/// # Errors
/// If the file cannot be read or is no sound ELF file.
pub fn check(path: &Path, max_size: Option<u64>) -> Result<Checked, ProgramError> {
    let failed = |source| ProgramError::Io { path: path.to_owned(), source };
    let file = SourceFile::open(path).map_err(failed)?;
    let size = file.len();
    let mut violations = match examine(&file) {
        Ok(violations) => violations,
        Err(Trouble::Io(source)) => return Err(failed(source)),
        Err(Trouble::Broken(reason)) => return Err(ProgramError::NotElf { path: path.to_owned(), reason }),
    };
    if let Some(limit) = max_size.filter(|limit| size > *limit) {
        violations.push(Violation::TooLarge { size, limit });
    }
    Ok(Checked { size, violations })
}

enum Trouble {
    Io(io::Error),
    Broken(&'static str),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One header, read whole; its fields by their documented offsets.
struct Record<const N: usize>([u8; N]);

impl<const N: usize> Record<N> {
    fn read(file: &SourceFile, offset: u64, short: &'static str) -> Result<Self, Trouble> {
        let bytes = file.read_up_to(offset, N)?;
        bytes.first_chunk::<N>().map(|bytes| Self(*bytes)).ok_or(Trouble::Broken(short))
    }

    fn field<const M: usize>(&self, at: usize) -> [u8; M] {
        self.0.get(at..).and_then(|rest| rest.first_chunk::<M>()).copied().unwrap_or([0; M])
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.field(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.field(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
    }
}

fn examine(file: &SourceFile) -> Result<Vec<Violation>, Trouble> {
    let header = Record::<64>::read(file, 0, "it is too short for an ELF header")?;
    if header.field(0) != *b"\x7fELF" {
        return Err(Trouble::Broken("it does not begin with the ELF magic"));
    }
    if header.field(4) != [2, 1] {
        // The rest of the header has another layout.
        return Ok(vec![Violation::Class]);
    }
    let mut violations = Vec::new();
    let (kind, machine) = (header.u16(16), header.u16(18));
    if machine != AARCH64 {
        violations.push(Violation::Machine(machine));
    }
    if !matches!(kind, 2 | 3) {
        violations.push(Violation::NotExecutable(kind));
    }
    let segments = u64::from(header.u16(56));
    if segments > 0 && header.u16(54) != 56 {
        return Err(Trouble::Broken("its program headers have an unknown size"));
    }
    for index in 0..segments {
        let at = header.u64(32).saturating_add(index.saturating_mul(56));
        let segment = Record::<56>::read(file, at, "its program headers lie beyond its end")?;
        match segment.u32(0) {
            PT_INTERP => {
                let bytes = file.read_up_to(segment.u64(8), 256.min(segment.u64(32)) as usize)?;
                let path = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                violations.push(Violation::Interpreter(path.escape_ascii().to_string()));
            }
            PT_DYNAMIC => {
                let needed = count_needed(file, segment.u64(8), segment.u64(32))?;
                if needed > 0 {
                    violations.push(Violation::SharedLibraries(needed));
                }
            }
            _ => {}
        }
    }
    if has_symbols(file, &header)? {
        violations.push(Violation::NotStripped);
    }
    Ok(violations)
}

fn count_needed(file: &SourceFile, offset: u64, len: u64) -> Result<usize, Trouble> {
    let mut needed = 0;
    for index in 0..(len / 16).min(MAX_DYNAMIC) {
        let at = offset.saturating_add(index.saturating_mul(16));
        let entry = Record::<16>::read(file, at, "its dynamic section lies beyond its end")?;
        match entry.u64(0) {
            DT_NULL => break,
            DT_NEEDED => needed += 1,
            _ => {}
        }
    }
    Ok(needed)
}

fn has_symbols(file: &SourceFile, header: &Record<64>) -> Result<bool, Trouble> {
    let (at, count) = (header.u64(40), u64::from(header.u16(60)));
    if at == 0 {
        return Ok(false);
    }
    if header.u16(58) != 64 || count == 0 {
        return Err(Trouble::Broken("its section headers have an unknown layout"));
    }
    for index in 0..count {
        let at = at.saturating_add(index.saturating_mul(64));
        let section = Record::<64>::read(file, at, "its section headers lie beyond its end")?;
        if section.u32(4) == SHT_SYMTAB {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A static, stripped aarch64 program of one load segment and one null section.
    fn elf() -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56 + 56 + 64 + 64 + 32];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        put16(&mut bytes, 16, 2);
        put16(&mut bytes, 18, 183);
        bytes[32] = 64;
        bytes[40] = 64 + 112;
        for (at, value) in [(54, 56), (56, 2), (58, 64), (60, 2)] {
            put16(&mut bytes, at, value);
        }
        bytes[64] = 1;
        // Second segment: a dynamic section without entries, as static-pie programs have.
        bytes[120] = PT_DYNAMIC as u8;
        put16(&mut bytes, 120 + 8, (64 + 112 + 128) as u16);
        bytes[120 + 32] = 32;
        bytes
    }

    fn put16(bytes: &mut [u8], at: usize, value: u16) {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn checked(bytes: &[u8], max_size: Option<u64>) -> Result<Checked, ProgramError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, bytes).unwrap();
        check(&path, max_size)
    }

    type Change = fn(&mut Vec<u8>);

    #[test]
    fn each_violation_is_found_and_nothing_else() {
        let dynamic = 64 + 112 + 128;
        assert_eq!(dynamic, 304);
        let size = elf().len() as u64;
        let table: [(&str, Change, Option<u64>, Vec<Violation>); 11] = [
            ("good", |_| (), None, vec![]),
            ("as large as allowed", |_| (), Some(336), vec![]),
            ("too large", |_| (), Some(335), vec![Violation::TooLarge { size, limit: 335 }]),
            ("position independent", |b| b[16] = 3, None, vec![]),
            ("32 bits", |b| b[4] = 1, None, vec![Violation::Class]),
            ("big-endian", |b| b[5] = 2, None, vec![Violation::Class]),
            ("32-bit arm's number", |b| b[18] = 40, None, vec![Violation::Machine(40)]),
            ("object file", |b| b[16] = 1, None, vec![Violation::NotExecutable(1)]),
            (
                "interpreter",
                |b| {
                    b[64] = 3;
                    put16(b, 64 + 8, 304);
                    b[64 + 32] = 8;
                    b[120] = 0;
                    b[304..311].copy_from_slice(b"/lib/ld");
                },
                None,
                vec![Violation::Interpreter("/lib/ld".into())],
            ),
            ("shared library", |b| b[304] = 1, None, vec![Violation::SharedLibraries(1)]),
            ("symbols", |b| b[176 + 64 + 4] = 2, None, vec![Violation::NotStripped]),
        ];
        for (name, change, max_size, expected) in table {
            let mut bytes = elf();
            change(&mut bytes);
            assert_eq!(checked(&bytes, max_size).unwrap().violations, expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_program_is_wrong_input() {
        let cut = elf();
        for bytes in [&b""[..], b"#!/bin/sh\n", &[0; 100], &cut[..63], &cut[..100], &cut[..200]] {
            let error = checked(bytes, None).unwrap_err();
            assert!(error.is_wrong_input(), "{error}");
        }
    }

    /// This test's own program was built for the build machine, with symbols.
    #[test]
    fn a_real_program_of_the_build_machine_breaks_the_rules() {
        let own = std::env::current_exe().unwrap();
        let violations = check(&own, Some(1000)).unwrap().violations;
        assert!(violations.contains(&Violation::NotStripped), "{violations:?}");
        assert!(violations.iter().any(|violation| matches!(violation, Violation::TooLarge { .. })));
        assert!(violations.iter().any(|violation| matches!(violation, Violation::SharedLibraries(_))));
        #[cfg(target_arch = "x86_64")]
        assert!(violations.contains(&Violation::Machine(62)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn mutated_programs_never_panic(changes in prop::collection::vec((0usize..336, any::<u8>()), 0..8)) {
            let mut bytes = elf();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let _ = checked(&bytes, None);
        }
    }
}
