//! Words and operators of a shell script, with what is quoted and what is not. It never fails: what it does not
//! understand it passes over, since whether a script is sound is asked of its own interpreter.

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::lint) struct Word {
    /// The text without its quotes; expansions stand as they were written.
    pub(in crate::lint) text: String,
    /// The line, from 1.
    pub(in crate::lint) line: usize,
    /// Variables that are expanded outside of quotes.
    pub(in crate::lint) bare: Vec<String>,
    /// Whether anything in it is quoted.
    pub(in crate::lint) quoted: bool,
}

/// A word or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `;`, `;;`, `&`, `&&`, `||`, `|`, `(`, `)` or a newline.
    Op(&'static str),
}

/// What a script consists of.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// The scripts in `$(…)` and backticks.
    pub(super) nested: Vec<Vec<Token>>,
    /// Names of all variables that are expanded anywhere.
    pub(super) variables: Vec<String>,
    /// What only bash understands, with its line.
    pub(super) bashisms: Vec<(usize, &'static str)>,
}

/// Reads a script that begins at `line`.
pub(super) fn lex(text: &str, line: usize, depth: usize) -> Lexed {
    let mut lexer = Lexer { bytes: text.as_bytes(), at: 0, line, depth, found: Lexed::default() };
    let tokens = lexer.script(false);
    Lexed { tokens, ..lexer.found }
}

pub(super) struct Lexer<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) depth: usize,
    pub(super) found: Lexed,
}

/// A word that is being read.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) text: Vec<u8>,
    line: usize,
    pub(super) bare: Vec<String>,
    quoted: bool,
    begun: bool,
}

impl Begun {
    fn take(&mut self, tokens: &mut Vec<Token>) {
        if self.begun {
            let begun = std::mem::take(self);
            tokens.push(Token::Word(Word {
                text: String::from_utf8_lossy(&begun.text).into_owned(),
                line: begun.line,
                bare: begun.bare,
                quoted: begun.quoted,
            }));
        }
    }
}

impl Lexer<'_> {
    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek(0)?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if found {
            self.at += text.len();
        }
        found
    }

    /// Reads to the end, or to the `)` that ends a substitution.
    pub(super) fn script(&mut self, nested: bool) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut word = Begun::default();
        let mut documents: Vec<(String, bool)> = Vec::new();
        let (mut cases, mut open) = (0usize, 0usize);
        // The target of a redirection is no argument.
        let mut redirects = false;
        loop {
            let Some(byte) = self.peek(0) else {
                self.end_word(&mut word, &mut tokens, &mut redirects, &mut cases);
                return tokens;
            };
            if !word.begun {
                word.line = self.line;
            }
            match byte {
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    self.end_word(&mut word, &mut tokens, &mut redirects, &mut cases);
                }
                b'\n' => {
                    self.end_word(&mut word, &mut tokens, &mut redirects, &mut cases);
                    self.next();
                    tokens.push(Token::Op("\n"));
                    for (end, tabs) in std::mem::take(&mut documents) {
                        self.skip_document(&end, tabs);
                    }
                }
                b'#' if !word.begun => {
                    while self.peek(0).is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                b'\\' => {
                    self.at += 1;
                    match self.next() {
                        Some(b'\n') | None => {}
                        Some(byte) => {
                            (word.begun, word.quoted) = (true, true);
                            word.text.push(byte);
                        }
                    }
                }
                b'\'' => {
                    self.at += 1;
                    (word.begun, word.quoted) = (true, true);
                    while let Some(byte) = self.next().filter(|byte| *byte != b'\'') {
                        word.text.push(byte);
                    }
                }
                b'"' => {
                    self.at += 1;
                    (word.begun, word.quoted) = (true, true);
                    self.double(&mut word);
                }
                b'$' => {
                    word.begun = true;
                    self.expansion(&mut word, false);
                }
                b'`' => {
                    self.at += 1;
                    word.begun = true;
                    self.backticks();
                }
                b'<' | b'>' => {
                    // A number in front of it says which stream.
                    if word.begun && !word.quoted && word.text.iter().all(u8::is_ascii_digit) {
                        word = Begun::default();
                    }
                    self.end_word(&mut word, &mut tokens, &mut redirects, &mut cases);
                    redirects = self.redirection(&mut documents);
                }
                b';' | b'&' | b'|' | b'(' | b')' => {
                    let is_array = byte == b'(' && word.begun && word.text.ends_with(b"=") && !word.quoted;
                    if is_array {
                        self.found.bashisms.push((self.line, "an array"));
                    }
                    self.end_word(&mut word, &mut tokens, &mut redirects, &mut cases);
                    if byte == b'(' {
                        open += 1;
                    } else if byte == b')' {
                        match (open, cases) {
                            (0, 0) if nested => {
                                self.at += 1;
                                return tokens;
                            }
                            (0, _) => {}
                            _ => open -= 1,
                        }
                    }
                    let op = self.operator();
                    if let Some(op) = op {
                        tokens.push(Token::Op(op));
                    } else {
                        redirects = true;
                    }
                }
                byte => {
                    self.at += 1;
                    word.begun = true;
                    word.text.push(byte);
                }
            }
        }
    }

    fn end_word(
        &mut self,
        word: &mut Begun,
        tokens: &mut Vec<Token>,
        redirects: &mut bool,
        cases: &mut usize,
    ) {
        if !word.begun {
            return;
        }
        if std::mem::take(redirects) {
            *word = Begun::default();
            return;
        }
        if !word.quoted && begins_command(tokens) {
            match word.text.as_slice() {
                b"case" => *cases += 1,
                b"esac" => *cases = cases.saturating_sub(1),
                _ => {}
            }
        }
        word.take(tokens);
    }

    /// The operator here; none for a redirection of both streams.
    fn operator(&mut self) -> Option<&'static str> {
        for op in ["&>>", "&>"] {
            if self.takes(op) {
                self.found.bashisms.push((self.line, "&> for both streams"));
                return None;
            }
        }
        if self.takes("|&") {
            self.found.bashisms.push((self.line, "|& for both streams"));
            return Some("|");
        }
        for (text, op) in [
            (";;&", ";;"),
            (";&", ";;"),
            (";;", ";;"),
            (";", ";"),
            ("&&", "&&"),
            ("&", "&"),
            ("||", "||"),
            ("|", "|"),
            ("(", "("),
            (")", ")"),
        ] {
            if self.takes(text) {
                return Some(op);
            }
        }
        self.at += 1;
        Some(";")
    }

    /// Passes over a redirection's operator; whether a word follows that belongs to it.
    fn redirection(&mut self, documents: &mut Vec<(String, bool)>) -> bool {
        if self.takes("<<<") {
            self.found.bashisms.push((self.line, "<<< (a here string)"));
            return true;
        }
        if self.takes("<<") {
            let tabs = self.takes("-");
            while self.peek(0).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
                self.at += 1;
            }
            let mut end = Vec::new();
            while let Some(byte) = self.peek(0) {
                if byte.is_ascii_whitespace() || matches!(byte, b';' | b'&' | b'|' | b')' | b'<' | b'>') {
                    break;
                }
                self.at += 1;
                if !matches!(byte, b'\'' | b'"' | b'\\') {
                    end.push(byte);
                }
            }
            documents.push((String::from_utf8_lossy(&end).into_owned(), tabs));
            return false;
        }
        for op in ["<(", ">("] {
            if self.takes(op) {
                self.found.bashisms.push((self.line, "<( ) (process substitution)"));
                self.nested();
                return false;
            }
        }
        for op in [">>", ">&", "<&", ">|", "<>", ">", "<"] {
            if self.takes(op) {
                break;
            }
        }
        true
    }

    fn skip_document(&mut self, end: &str, tabs: bool) {
        while self.at < self.bytes.len() {
            let start = self.at;
            while self.next().is_some_and(|byte| byte != b'\n') {}
            let line = self.bytes.get(start..self.at).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let bare = line.iter().position(|byte| *byte != b'\t').unwrap_or(line.len());
            let line = if tabs { line.get(bare..).unwrap_or_default() } else { line };
            if line == end.as_bytes() {
                return;
            }
        }
    }
}

/// Whether the next word is the first of a command.
fn begins_command(tokens: &[Token]) -> bool {
    match tokens.last() {
        None | Some(Token::Op(_)) => true,
        Some(Token::Word(word)) => {
            !word.quoted
                && matches!(
                    word.text.as_str(),
                    "if" | "then" | "else" | "elif" | "do" | "while" | "until" | "!" | "{" | "fi" | "done"
                )
        }
    }
}
