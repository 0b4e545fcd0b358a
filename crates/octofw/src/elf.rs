//! What an ELF file says that a printer must be able to give it: its machine, its interpreter, its libraries.

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, EM_AARCH64, EM_ARM, FileHeader32, FileHeader64, PT_INTERP, SHT_SYMTAB,
};
use object::read::StringTable;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, FileKind};
use serde::Serialize;

/// What is told about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elf {
    /// `aarch64`, `arm`, or the number of another machine.
    pub machine: String,
    /// The program that loads it; none for a library or a static program.
    pub interpreter: Option<String>,
    /// Libraries that it needs, in byte order.
    pub needs: Vec<String>,
    /// Folders in which it looks for them first.
    pub search: Vec<String>,
    /// Whether its table of symbols was taken out.
    pub stripped: bool,
}

/// Whether a file begins like an ELF file.
#[must_use]
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

impl Elf {
    /// Reads an ELF file, of 32 or 64 bits.
    ///
    /// # Errors
    /// If it breaks a rule of its format; in a few words.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        match FileKind::parse(bytes) {
            Ok(FileKind::Elf32) => read::<FileHeader32<Endianness>>(bytes),
            Ok(FileKind::Elf64) => read::<FileHeader64<Endianness>>(bytes),
            Ok(_) => Err("it is no ELF file".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn read<H: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Elf, String> {
    let told = |error: object::Error| error.to_string();
    let header = H::parse(bytes).map_err(told)?;
    let endian = header.endian().map_err(told)?;
    let machine = match header.e_machine(endian) {
        EM_AARCH64 => "aarch64".to_owned(),
        EM_ARM => "arm".to_owned(),
        number => format!("machine {number}"),
    };
    let sections = header.sections(endian, bytes).map_err(told)?;
    let stripped = !sections.iter().any(|section| section.sh_type(endian) == SHT_SYMTAB);
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    let (mut interpreter, mut needs, mut search) = (None, Vec::new(), Vec::new());
    for segment in header.program_headers(endian, bytes).map_err(told)? {
        if segment.p_type(endian) == PT_INTERP {
            let name =
                segment.data(endian, bytes).map_err(|()| "its interpreter lies beyond its end".to_owned())?;
            interpreter = Some(text(name));
        }
    }
    if let Some((dynamic, link)) = sections.dynamic(endian, bytes).map_err(told)? {
        let strings: StringTable<'_, &[u8]> = sections.strings(endian, bytes, link).map_err(told)?;
        for entry in dynamic {
            let Some(tag) = entry.tag32(endian).map(i64::from) else { continue };
            if !matches!(tag, DT_NEEDED | DT_RPATH | DT_RUNPATH) {
                continue;
            }
            let name = text(entry.string(endian, strings).map_err(told)?);
            match tag {
                DT_NEEDED => needs.push(name),
                _ => search.extend(name.split(':').map(str::to_owned)),
            }
        }
    }
    needs.sort();
    Ok(Elf { machine, interpreter, needs, search, stripped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_itself_says_what_it_needs() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_elf(&bytes));
        let elf = Elf::read(&bytes).unwrap();
        assert!(elf.needs.iter().any(|name| name.starts_with("libc.so")), "{elf:?}");
        assert!(elf.interpreter.as_deref().is_some_and(|name| name.contains("ld-linux")), "{elf:?}");
        assert!(!elf.stripped);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_behind_the_magic_are_taken(rest in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
            bytes.extend(rest);
            let _ = Elf::read(&bytes);
        }

        #[test]
        fn a_damaged_program_is_taken(at in 0usize..4096, value in proptest::num::u8::ANY) {
            let mut bytes = std::fs::read("/bin/true").unwrap_or_default();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            let _ = Elf::read(&bytes);
        }
    }
}
