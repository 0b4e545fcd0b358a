//! A YAML text as a tree with lines, and the keys in it that come twice.

use std::collections::BTreeSet;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::Marker;

/// Maps and lists inside each other that are followed.
const DEEPEST: usize = 60;

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A text, a list or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, usize, Node)>),
}

/// Why a text is no YAML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) node: Option<Node>,
    pub(super) fault: Option<Fault>,
    pub(super) duplicates: Vec<(usize, String)>,
}

impl Node {
    /// What a map has at a key.
    pub(super) fn at(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(pairs) => pairs.iter().find(|(known, _, _)| known == key).map(|(_, _, node)| node),
            _ => None,
        }
    }

    /// Keys, their lines and values; nothing where it is no map.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, usize, &Node)> {
        let pairs = match &self.value {
            Value::Map(pairs) => Some(pairs),
            _ => None,
        };
        pairs.into_iter().flatten().map(|(key, line, node)| (key.as_str(), *line, node))
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A map or list that is not complete.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<(String, usize)>,
    seen: BTreeSet<String>,
}

/// Reads the first document of a text.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut found = Read::default();
    let fault = |line: usize, message: String| Some(Fault { line, message });
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(_) => {
            found.fault = fault(1, "it is not UTF-8".to_owned());
            return found;
        }
    };
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let (event, mark) = match parser.next_token() {
            Ok(next) => next,
            Err(error) => {
                found.fault = fault(error.marker().line(), error.info().to_owned());
                return found;
            }
        };
        let complete = match event {
            Event::StreamEnd | Event::DocumentEnd => return found,
            Event::Scalar(text, ..) => Some(node(mark, Value::Text(text))),
            Event::Alias(_) => Some(node(mark, Value::Text("*".to_owned()))),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => {
                found.fault = fault(mark.line(), format!("it is nested more than {DEEPEST} deep"));
                return found;
            }
            Event::SequenceStart(..) => {
                open.push(Open {
                    node: node(mark, Value::List(Vec::new())),
                    key: None,
                    seen: BTreeSet::new(),
                });
                None
            }
            Event::MappingStart(..) => {
                open.push(Open {
                    node: node(mark, Value::Map(Vec::new())),
                    key: None,
                    seen: BTreeSet::new(),
                });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| open.node),
            _ => None,
        };
        let Some(complete) = complete else { continue };
        match open.last_mut() {
            Some(above) => put(above, complete, &mut found.duplicates),
            None => found.node = Some(complete),
        }
    }
}

fn node(mark: Marker, value: Value) -> Node {
    Node { line: mark.line(), value }
}

fn put(above: &mut Open, complete: Node, duplicates: &mut Vec<(usize, String)>) {
    match &mut above.node.value {
        Value::List(items) => items.push(complete),
        Value::Map(pairs) => match above.key.take() {
            Some((key, line)) => pairs.push((key, line, complete)),
            None => {
                let line = complete.line;
                let key = match complete.value {
                    Value::Text(text) => text,
                    _ => "?".to_owned(),
                };
                // `<<` takes the keys of another map over, and may come again.
                if !above.seen.insert(key.clone()) && key != "<<" && key != "?" {
                    duplicates.push((line, key.clone()));
                }
                above.key = Some((key, line));
            }
        },
        Value::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_lines_are_read() {
        let read = read(b"settings:\n  web:\n    items:\n      x:\n        cmd: [/bin/a, 'b c']\n");
        assert_eq!(read.fault, None);
        let node = read.node.unwrap();
        let cmd = node.at("settings").and_then(|n| n.at("web")?.at("items")?.at("x")?.at("cmd")).unwrap();
        assert_eq!(cmd.line, 5);
        let Value::List(items) = &cmd.value else { panic!("{cmd:?}") };
        assert_eq!(items.iter().filter_map(Node::text).collect::<Vec<_>>(), ["/bin/a", "b c"]);
    }

    #[test]
    fn faults_and_duplicates_have_lines() {
        assert_eq!(read(b"a:\n  b: 1\n  c: 2\n  b: 3\n").duplicates, [(4, "b".to_owned())]);
        assert_eq!(read(b"a: 1\nb: [\n").fault.map(|fault| fault.line >= 2), Some(true));
        assert_eq!(read(b"a:\n\tb: 1\n").fault.map(|fault| fault.line), Some(2));
        assert!(read("[".repeat(1000).as_bytes()).fault.is_some());
        assert!(read(b"").node.is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "([a-c:\\-{}\\[\\]&*!|>'\"%@`#,? \t\n]|: |- |\\? |---|<<){0,60}") {
            read(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            read(&bytes);
        }
    }
}
