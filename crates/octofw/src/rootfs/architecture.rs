//! For which processor a program was made, from the first bytes of an ELF file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// `EM_AARCH64` of the ELF specification.
const AARCH64: u16 = 183;

/// What the head of a file says about its processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Not an ELF file.
    NotElf,
    /// 64-bit little-endian ARM: the printer's.
    Aarch64,
    /// An ELF file for another machine (its `e_machine`), or one that is cut off.
    Foreign(u16),
}

impl Architecture {
    /// Reads it from a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        File::open(path)?.take(20).read_to_end(&mut head)?;
        Ok(Self::of_head(&head))
    }

    /// Reads it from the first 20 bytes of a file.
    pub fn of_head(head: &[u8]) -> Self {
        let Some(rest) = head.strip_prefix(b"\x7fELF") else { return Self::NotElf };
        let machine = match (rest.get(1), rest.get(14..16)) {
            (Some(1), Some(&[low, high])) => u16::from_le_bytes([low, high]),
            (Some(2), Some(&[high, low])) => u16::from_be_bytes([high, low]),
            _ => return Self::Foreign(0),
        };
        match (machine, rest.get(..2)) {
            (AARCH64, Some([2, 1])) => Self::Aarch64,
            _ => Self::Foreign(machine),
        }
    }

    /// The machine by the name that people know.
    pub fn name(self) -> String {
        match self {
            Self::NotElf => "no ELF file".into(),
            Self::Aarch64 => "aarch64".into(),
            Self::Foreign(0) => "no known machine".into(),
            Self::Foreign(3) => "x86 (32 bit)".into(),
            Self::Foreign(8) => "MIPS".into(),
            Self::Foreign(40) => "ARM (32 bit)".into(),
            Self::Foreign(62) => "x86-64".into(),
            Self::Foreign(AARCH64) => "big-endian or 32-bit aarch64".into(),
            Self::Foreign(243) => "RISC-V".into(),
            Self::Foreign(other) => format!("machine {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(class: u8, data: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
        bytes.extend(machine);
        bytes
    }

    #[test]
    fn only_little_endian_64_bit_arm_is_the_printers() {
        let cases = [
            (head(2, 1, [183, 0]), Architecture::Aarch64),
            (head(2, 2, [0, 183]), Architecture::Foreign(183)),
            (head(1, 1, [183, 0]), Architecture::Foreign(183)),
            (head(2, 1, [62, 0]), Architecture::Foreign(62)),
            (head(1, 1, [40, 0]), Architecture::Foreign(40)),
            (head(2, 7, [183, 0]), Architecture::Foreign(0)),
            (b"\x7fELF\x02\x01".to_vec(), Architecture::Foreign(0)),
            (b"#!/bin/sh\n".to_vec(), Architecture::NotElf),
            (Vec::new(), Architecture::NotElf),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Architecture::of_head(&bytes), expected, "{bytes:?}");
        }
        assert_ne!(Architecture::of_file(Path::new("/proc/self/exe")).unwrap(), Architecture::NotElf);
    }

    proptest::proptest! {
        #[test]
        fn no_head_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..24)) {
            Architecture::of_head(&bytes).name();
        }
    }
}
