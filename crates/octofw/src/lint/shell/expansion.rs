//! What a shell replaces in a word: variables, commands, arithmetic.

use super::lexer::{Begun, Lexer, lex};

/// Substitutions inside each other that are followed.
const DEEPEST: usize = 24;

impl Lexer<'_> {
    /// What stands between double quotes, behind the first.
    pub(super) fn double(&mut self, word: &mut Begun) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    self.at += 1;
                    match self.next() {
                        Some(b'\n') | None => {}
                        Some(byte) => {
                            if !matches!(byte, b'$' | b'`' | b'"' | b'\\') {
                                word.text.push(b'\\');
                            }
                            word.text.push(byte);
                        }
                    }
                }
                b'$' => self.expansion(word, true),
                b'`' => {
                    self.at += 1;
                    self.backticks();
                }
                byte => {
                    self.next();
                    word.text.push(byte);
                }
            }
        }
    }

    /// `$NAME`, `${…}`, `$(…)`, `$((…))`, or a lone `$`.
    pub(super) fn expansion(&mut self, word: &mut Begun, quoted: bool) {
        let start = self.at;
        self.at += 1;
        let mut name = None;
        match self.peek(0) {
            Some(b'(') if self.peek(1) == Some(b'(') => self.arithmetic(),
            Some(b'(') => {
                self.at += 1;
                self.nested();
            }
            Some(b'{') => {
                self.at += 1;
                name = Some(self.braced());
            }
            Some(b'\'') if !quoted => {
                self.found.bashisms.push((self.line, "$'…'"));
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?$!-".contains(&byte) => {
                self.at += 1;
                name = Some((byte as char).to_string());
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                let from = self.at;
                while self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.at += 1;
                }
                let bytes = self.bytes.get(from..self.at).unwrap_or_default();
                name = Some(String::from_utf8_lossy(bytes).into_owned());
            }
            _ => {}
        }
        word.text.extend(self.bytes.get(start..self.at).unwrap_or_default());
        if let Some(name) = name {
            if !quoted {
                word.bare.push(name.clone());
            }
            self.found.variables.push(name);
        }
    }

    fn arithmetic(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.next() {
            match byte {
                b'(' => depth += 1,
                b')' if depth <= 1 => return,
                b')' => depth -= 1,
                _ => {}
            }
        }
    }

    /// `${…}` behind its brace; gives the variable's name.
    fn braced(&mut self) -> String {
        if self.peek(0) == Some(b'!') && self.peek(1).is_some_and(|byte| byte != b'}') {
            self.found.bashisms.push((self.line, "${!…}"));
            self.at += 1;
        }
        if self.peek(0) == Some(b'#') && self.peek(1) != Some(b'}') {
            self.at += 1;
        }
        let begin = self.at;
        while self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        if self.at == begin && self.peek(0).is_some_and(|byte| b"@*?$!-#".contains(&byte)) {
            self.at += 1;
        }
        let name = String::from_utf8_lossy(self.bytes.get(begin..self.at).unwrap_or_default()).into_owned();
        match self.peek(0) {
            Some(b'^' | b',') => self.found.bashisms.push((self.line, "${…^^} or ${…,,}")),
            Some(b'[') => self.found.bashisms.push((self.line, "an array")),
            _ => {}
        }
        let mut depth = 1usize;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => drop(self.next()),
                b'\'' => {
                    // An apostrophe in a default text need not be closed.
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    let end = rest.iter().position(|byte| matches!(byte, b'\'' | b'\n'));
                    if let Some(end) = end.filter(|end| rest.get(*end) == Some(&b'\'')) {
                        self.at += end + 1;
                    }
                }
                b'{' => depth += 1,
                b'}' if depth == 1 => break,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        name
    }

    /// The script behind `$(` or `<(`.
    pub(super) fn nested(&mut self) {
        if self.depth >= DEEPEST {
            // Passed over: nobody writes so.
            self.at = self.bytes.len();
            return;
        }
        self.depth += 1;
        let tokens = self.script(true);
        self.depth -= 1;
        self.found.nested.push(tokens);
    }

    /// The script between backticks, behind the first.
    pub(super) fn backticks(&mut self) {
        let line = self.line;
        let mut text = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'`' => break,
                b'\\' => text.extend(self.next()),
                byte => text.push(byte),
            }
        }
        if self.depth >= DEEPEST {
            return;
        }
        let inner = lex(&String::from_utf8_lossy(&text), line, self.depth + 1);
        self.found.nested.push(inner.tokens);
        self.found.nested.extend(inner.nested);
        self.found.variables.extend(inner.variables);
        self.found.bashisms.extend(inner.bashisms);
    }
}
