//! Programs for the printer, as small as they can be.

/// What a program says of itself.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) machine: u16,
    pub(crate) loader: Option<&'static str>,
    pub(crate) needs: &'static [&'static str],
    pub(crate) search: Option<&'static str>,
    pub(crate) symbols: bool,
}

/// A static, stripped program for aarch64.
pub(crate) const STATIC: Program =
    Program { machine: 183, loader: None, needs: &[], search: None, symbols: false };

impl Program {
    /// Its bytes: header, one program header, the strings, the dynamic section, section headers.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut strings = vec![0u8];
        let mut dynamic: Vec<(u64, u64)> = Vec::new();
        let mut add = |tag: u64, text: &str| {
            dynamic.push((tag, strings.len() as u64));
            strings.extend(text.bytes());
            strings.push(0);
        };
        for library in self.needs {
            add(1, library);
        }
        if let Some(folders) = self.search {
            add(29, folders);
        }
        dynamic.push((0, 0));
        let loader: Vec<u8> = self.loader.map(|path| path.bytes().chain([0]).collect()).unwrap_or_default();
        let loader_at = 64 + 56;
        let strings_at = loader_at + loader.len();
        let dynamic_at = (strings_at + strings.len()).next_multiple_of(8);
        let sections_at = dynamic_at + dynamic.len() * 16;

        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
        let long = |bytes: &mut Vec<u8>, value: usize| bytes.extend((value as u64).to_le_bytes());
        half(&mut bytes, 2);
        half(&mut bytes, self.machine);
        word(&mut bytes, 1);
        long(&mut bytes, 0);
        long(&mut bytes, 64);
        long(&mut bytes, sections_at);
        word(&mut bytes, 0);
        for value in [64, 56, 1, 64, 4, 1] {
            half(&mut bytes, value);
        }
        // PT_INTERP, or nothing.
        word(&mut bytes, if self.loader.is_some() { 3 } else { 0 });
        word(&mut bytes, 4);
        for value in [loader_at, 0, 0, loader.len(), loader.len(), 1] {
            long(&mut bytes, value);
        }
        bytes.extend(&loader);
        bytes.extend(&strings);
        bytes.resize(dynamic_at, 0);
        for (tag, value) in &dynamic {
            long(&mut bytes, *tag as usize);
            long(&mut bytes, *value as usize);
        }
        let symbols = if self.symbols { 2 } else { 0 };
        for (kind, at, len, link, entry) in [
            (0u32, 0, 0, 0u32, 0),
            (3, strings_at, strings.len(), 0, 0),
            (6, dynamic_at, dynamic.len() * 16, 1, 16),
            (symbols, strings_at, 0, 1, 24),
        ] {
            word(&mut bytes, 0);
            word(&mut bytes, kind);
            for value in [0, 0, at, len] {
                long(&mut bytes, value);
            }
            word(&mut bytes, link);
            word(&mut bytes, 0);
            long(&mut bytes, 1);
            long(&mut bytes, entry);
        }
        bytes
    }
}
