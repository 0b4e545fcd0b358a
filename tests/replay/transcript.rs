//! A recorded talk between Moonraker and a client, one line of JSON for each message.

use serde_json::Value;
use std::path::Path;

/// One line of the connection `main`.
#[derive(Debug)]
pub(crate) enum Item {
    Open,
    Close,
    /// A request that the recorded client sent.
    Out(Value),
    /// A message that it got, also as bytes.
    In(Value, Vec<u8>),
}

/// The lines of the connection `main` with their times.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) items: Vec<(f64, Item)>,
}

impl Transcript {
    pub(crate) fn load(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut items = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mut line: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1));
            if line["conn"] != "main" {
                continue;
            }
            let message = line["msg"].take();
            let item = match line["dir"].as_str() {
                Some("open") => Item::Open,
                Some("close") => Item::Close,
                Some("out") => Item::Out(message),
                Some("in") => {
                    let bytes = serde_json::to_vec(&message).unwrap();
                    Item::In(message, bytes)
                }
                other => panic!("{}:{}: direction {other:?}", path.display(), number + 1),
            };
            items.push((line["t"].as_f64().unwrap(), item));
        }
        // The close that ends a recording is no loss.
        while matches!(items.last(), Some((_, Item::Close))) {
            items.pop();
        }
        Self { items }
    }
}
