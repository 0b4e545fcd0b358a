//! From tokens to commands, loops and patterns.

use std::collections::BTreeMap;

use super::lexer::{Token, Word};
use super::{Command, Loop, Script};

/// Something that is open until its last word.
struct Frame {
    kind: Kind,
    /// What was begun around it, for a `&` behind it.
    list: Start,
    /// The function that it stands in, or is the body of.
    function: Option<String>,
}

enum Kind {
    Paren,
    Brace,
    If,
    For,
    While { line: usize, condition: usize, body: Option<usize> },
    Case { pattern: bool },
}

/// Where a list of commands began.
#[derive(Clone, Copy, Default)]
struct Start {
    commands: usize,
    loops: usize,
}

struct Parser<'a> {
    script: &'a mut Script,
    frames: Vec<Frame>,
    /// Frames that are parentheses.
    parens: usize,
    list: Start,
    words: Vec<Word>,
    /// The name of a function whose body comes next.
    named: Option<String>,
    /// Commands in front of this one are not ours.
    first: Start,
}

/// Adds what the tokens say to a script.
pub(super) fn add(script: &mut Script, tokens: &[Token]) {
    let first = Start { commands: script.commands.len(), loops: script.loops.len() };
    let mut parser =
        Parser { script, frames: Vec::new(), parens: 0, list: first, words: Vec::new(), named: None, first };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Word(word) => at += parser.word(word, tokens.get(at..).unwrap_or_default()),
            Token::Op(op) => parser.operator(op),
        }
    }
    parser.end_command();
    parser.send_functions_to_the_background();
}

impl Parser<'_> {
    fn pattern(&mut self) -> Option<&mut bool> {
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            Some(Kind::Case { pattern }) => Some(pattern),
            _ => None,
        }
    }

    /// Takes a word; gives how many of the tokens behind it belong to it.
    fn word(&mut self, word: &Word, behind: &[Token]) -> usize {
        if self.pattern().is_some_and(|pattern| *pattern) {
            if !word.quoted && word.text == "esac" {
                self.close();
            } else {
                self.script.patterns.push(word.clone());
            }
            return 0;
        }
        if !self.words.is_empty() || word.quoted {
            self.words.push(word.clone());
            self.begin_case();
            return 0;
        }
        let is_function = matches!(behind, [Token::Op("("), Token::Op(")"), ..]);
        if is_function {
            self.named = Some(word.text.clone());
            return 2;
        }
        match word.text.as_str() {
            "then" | "else" | "elif" | "!" | "time" => {}
            "do" => self.body(),
            "if" => self.open(Kind::If),
            "while" | "until" => {
                let condition = self.script.commands.len();
                self.open(Kind::While { line: word.line, condition, body: None });
            }
            "for" | "select" => {
                self.open(Kind::For);
                self.words.push(word.clone());
            }
            "{" => self.open(Kind::Brace),
            "}" | "fi" | "done" | "esac" => self.close(),
            "function" => {
                self.script.bashisms.push((word.line, "the word function"));
                return match behind {
                    [Token::Word(name), Token::Op("("), Token::Op(")"), ..] => {
                        self.named = Some(name.text.clone());
                        3
                    }
                    [Token::Word(name), ..] => {
                        self.named = Some(name.text.clone());
                        1
                    }
                    _ => 0,
                };
            }
            _ => self.words.push(word.clone()),
        }
        0
    }

    /// `case WORD in` is complete.
    fn begin_case(&mut self) {
        let is_case = self.words.first().is_some_and(|word| !word.quoted && word.text == "case");
        let is_in = self.words.last().is_some_and(|word| !word.quoted && word.text == "in");
        if is_case && is_in && self.words.len() == 3 {
            self.words.pop();
            self.end_command();
            self.open(Kind::Case { pattern: true });
        }
    }

    fn operator(&mut self, op: &str) {
        if let Some(pattern) = self.pattern().filter(|pattern| **pattern) {
            if op == ")" {
                *pattern = false;
                self.begin_list();
            }
            return;
        }
        self.end_command();
        match op {
            "&" => {
                self.send_to_the_background();
                self.begin_list();
            }
            ";" | "\n" => self.begin_list(),
            ";;" => {
                while self.frames.last().is_some_and(|frame| !matches!(frame.kind, Kind::Case { .. })) {
                    self.close();
                }
                if let Some(pattern) = self.pattern() {
                    *pattern = true;
                }
            }
            "(" => self.open(Kind::Paren),
            ")" if self.parens > 0 => {
                while self.frames.last().is_some_and(|frame| !matches!(frame.kind, Kind::Paren)) {
                    self.close();
                }
                self.close();
            }
            _ => {}
        }
    }

    fn begin_list(&mut self) {
        self.list = Start { commands: self.script.commands.len(), loops: self.script.loops.len() };
    }

    fn function(&self) -> Option<String> {
        self.frames.last().and_then(|frame| frame.function.clone())
    }

    fn end_command(&mut self) {
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            let function = self.function();
            self.script.commands.push(Command { words, function, background: false });
        }
    }

    fn open(&mut self, kind: Kind) {
        let function = self.named.take().or_else(|| self.function());
        self.parens += usize::from(matches!(kind, Kind::Paren));
        self.frames.push(Frame { kind, list: self.list, function });
        self.begin_list();
    }

    /// The `do` of a loop.
    fn body(&mut self) {
        let now = self.script.commands.len();
        if let Some(Frame { kind: Kind::While { body, .. }, .. }) = self.frames.last_mut() {
            *body = Some(now);
        }
        self.begin_list();
    }

    fn close(&mut self) {
        self.end_command();
        let function = self.function();
        let Some(frame) = self.frames.pop() else { return };
        self.parens -= usize::from(matches!(frame.kind, Kind::Paren));
        if let Kind::While { line, condition, body } = frame.kind {
            let end = self.script.commands.len();
            let body = body.unwrap_or(end);
            self.script.loops.push(Loop {
                line,
                condition: condition..body,
                body: body..end,
                background: false,
                function,
            });
        }
        self.list = frame.list;
    }

    fn send_to_the_background(&mut self) {
        for command in self.script.commands.iter_mut().skip(self.list.commands) {
            command.background = true;
        }
        for one in self.script.loops.iter_mut().skip(self.list.loops) {
            one.background = true;
        }
    }

    /// A function that is only ever called in the background runs there.
    fn send_functions_to_the_background(&mut self) {
        let ours = || self.script.commands.iter().skip(self.first.commands);
        let mut called: BTreeMap<String, bool> = BTreeMap::new();
        for command in ours() {
            let name = command.called().first().map_or("", |word| word.text.as_str());
            match called.get_mut(name) {
                Some(background) => *background &= command.background,
                None => drop(called.insert(name.to_owned(), command.background)),
            }
        }
        let runs_there = |function: &Option<String>| {
            function.as_ref().is_some_and(|function| called.get(function) == Some(&true))
        };
        for command in self.script.commands.iter_mut().skip(self.first.commands) {
            command.background |= runs_there(&command.function);
        }
        for one in self.script.loops.iter_mut().skip(self.first.loops) {
            one.background |= runs_there(&one.function);
        }
    }
}
