//! The markup of texts: what is left of it, what it marks, and the service's words for what cannot be read.
//!
//! Of HTML the common tags, of MarkdownV2 all but links, quotes and emoji, which are refused here: who needs them
//! must teach it.

use serde_json::{Value, json};

/// The text without its markup and the entities that this makes, or why it cannot be read.
pub(super) fn parse(mode: Option<&str>, text: &str) -> Result<(String, Vec<Value>), String> {
    match mode {
        None | Some("") => Ok((text.to_owned(), Vec::new())),
        Some("HTML") => html(text),
        Some("MarkdownV2") => markdown(text),
        // The old one reads most of what is wrong as text; nothing here depends on its entities.
        Some(_) => Ok((text.to_owned(), Vec::new())),
    }
}

/// What a tag of HTML makes.
const TAGS: [(&str, &str); 14] = [
    ("b", "bold"),
    ("strong", "bold"),
    ("i", "italic"),
    ("em", "italic"),
    ("u", "underline"),
    ("ins", "underline"),
    ("s", "strikethrough"),
    ("strike", "strikethrough"),
    ("del", "strikethrough"),
    ("code", "code"),
    ("pre", "pre"),
    ("a", "text_link"),
    ("tg-spoiler", "spoiler"),
    ("blockquote", "blockquote"),
];

struct Open<'a> {
    tag: &'a str,
    entity: Value,
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn html(text: &str) -> Result<(String, Vec<Value>), String> {
    let (mut plain, mut entities, mut open) = (String::new(), Vec::new(), Vec::<Open<'_>>::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let offset = text.len() - rest.len();
        match first {
            '&' => {
                let (read, length) = reference(rest);
                plain.push_str(read);
                rest = &rest[length..];
            }
            '<' => {
                let Some(end) = rest.find('>') else {
                    return Err(format!("Unclosed start tag at byte offset {offset}"));
                };
                let inner = &rest[1..end];
                rest = &rest[end + 1..];
                if let Some(tag) = inner.strip_prefix('/') {
                    let Some(last) = open.pop() else {
                        return Err(format!("Unexpected end tag at byte offset {offset}"));
                    };
                    if !tag.is_empty() && tag != last.tag {
                        return Err(format!(
                            "Unmatched end tag at byte offset {offset}, expected \"</{}>\", found \"</{tag}>\"",
                            last.tag
                        ));
                    }
                    let mut entity = last.entity;
                    let length = units(&plain) - usize::try_from(entity["offset"].as_u64().unwrap()).unwrap();
                    entity["length"] = json!(length);
                    if length > 0 {
                        entities.push(entity);
                    }
                } else {
                    let tag = inner.split([' ', '\n']).next().unwrap_or_default();
                    let Some((_, kind)) = TAGS.iter().find(|(known, _)| *known == tag) else {
                        return Err(format!("Unsupported start tag \"{tag}\" at byte offset {offset}"));
                    };
                    let mut entity = json!({"type": kind, "offset": units(&plain)});
                    if let Some(url) = inner.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()) {
                        entity["url"] = json!(url);
                    }
                    open.push(Open { tag, entity });
                }
            }
            other => {
                plain.push(other);
                rest = &rest[other.len_utf8()..];
            }
        }
    }
    match open.pop() {
        Some(last) => Err(format!(
            "Can't find end tag corresponding to start tag \"{}\" at byte offset {}",
            last.tag,
            text.len()
        )),
        None => Ok((plain, entities)),
    }
}

/// What a reference at the start stands for, and its length; the mark itself when it is none.
fn reference(text: &str) -> (&'static str, usize) {
    const NAMED: [(&str, &str); 4] = [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\"")];
    let found = NAMED.iter().find(|(name, _)| text.starts_with(name));
    found.map_or(("&", 1), |(name, stands_for)| (*stands_for, name.len()))
}

/// Marks of MarkdownV2 that open and close something.
const MARKS: [(&str, &str); 7] = [
    ("```", "pre"),
    ("__", "underline"),
    ("||", "spoiler"),
    ("*", "bold"),
    ("_", "italic"),
    ("~", "strikethrough"),
    ("`", "code"),
];

fn markdown(text: &str) -> Result<(String, Vec<Value>), String> {
    let (mut plain, mut entities) = (String::new(), Vec::new());
    let mut open: Vec<(&str, &str, usize, usize)> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let offset = text.len() - rest.len();
        let literal = open.last().is_some_and(|(mark, ..)| mark.contains('`'));
        if first == '\\'
            && let Some(next) = rest[1..].chars().next()
            && next.is_ascii()
        {
            plain.push(next);
            rest = &rest[2..];
        } else if let Some((mark, kind)) = MARKS.iter().find(|(mark, _)| {
            rest.starts_with(mark) && (!literal || open.last().is_some_and(|last| last.0 == *mark))
        }) {
            rest = &rest[mark.len()..];
            if open.last().is_some_and(|last| last.0 == *mark) {
                let (_, kind, begun, _) = open.pop().unwrap();
                entities.push(json!({"type": kind, "offset": begun, "length": units(&plain) - begun}));
            } else {
                open.push((mark, kind, units(&plain), offset));
            }
        } else if !literal && "[]()>#+-=|{}.!".contains(first) {
            return Err(format!(
                "Character '{first}' is reserved and must be escaped with the preceding '\\'"
            ));
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    match open.pop() {
        Some((_, kind, _, offset)) => {
            let mut name = kind.to_owned();
            name[..1].make_ascii_uppercase();
            Err(format!("Can't find end of {name} entity at byte offset {offset}"))
        }
        None => Ok((plain, entities)),
    }
}
