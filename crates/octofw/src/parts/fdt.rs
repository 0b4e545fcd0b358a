//! A flattened device tree: nodes with properties, in one piece. The form is that of the Devicetree Specification,
//! chapter 5.

use crate::container::fields::{FieldReader, shown};
use crate::container::{Fault, FormatError, Layer};

/// How one begins.
pub(super) const MAGIC: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];
/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 40;
/// Longest tree that is read, in bytes. The images of this product have their content behind it.
const MOST_BYTES: u32 = 1024 * 1024;
/// Deepest nesting of nodes.
const MOST_DEEP: usize = 32;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;
const END: u32 = 9;

/// A node.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: String,
    /// Name, value, and where the value begins in the tree.
    properties: Vec<(&'a str, &'a [u8], usize)>,
    pub(super) children: Vec<Self>,
}

impl<'a> Node<'a> {
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The bytes of a property, and where they begin in the tree.
    pub(super) fn bytes(&self, name: &str) -> Option<(&'a [u8], usize)> {
        self.properties.iter().find(|(known, ..)| *known == name).map(|(_, value, at)| (*value, *at))
    }

    /// A property that is a text, as much of it as can be printed.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (value, _) = self.bytes(name)?;
        let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(text.escape_ascii().to_string())
    }

    /// A property that is a number of 4 or 8 bytes.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (value, _) = self.bytes(name)?;
        match (value.len(), value.first_chunk::<4>(), value.first_chunk::<8>()) {
            (4, Some(value), _) => Some(u64::from(u32::from_be_bytes(*value))),
            (8, _, Some(value)) => Some(u64::from_be_bytes(*value)),
            _ => None,
        }
    }
}

/// How long the tree is whose header this is; `offset` is its place in the file, for messages.
pub(super) fn length(header: &[u8], offset: u64) -> Result<u32, FormatError> {
    let mut fields = FieldReader::new(Layer::Fit, offset, header);
    let _: [u8; 4] = fields.bytes("magic")?;
    let at = fields.offset();
    let length = fields.u32_be("length")?;
    if (length as usize) < HEADER_LEN || length > MOST_BYTES {
        let expected = format!("{HEADER_LEN} to {MOST_BYTES}");
        return Err(fields.error(Fault::Limit, "length", at, length.to_string(), expected));
    }
    Ok(length)
}

/// Reads a whole tree.
pub(super) fn parse(tree: &[u8], offset: u64) -> Result<Node<'_>, FormatError> {
    let mut header = FieldReader::new(Layer::Fit, offset, tree);
    let _: [u8; 8] = header.bytes("header")?;
    let nodes_at = header.u32_be("place of the nodes")? as usize;
    let names_at = header.u32_be("place of the names")? as usize;
    let names = tree.get(names_at..).unwrap_or_default();
    let nodes = tree.get(nodes_at..).unwrap_or_default();
    let mut walk = Walk { nodes, at: 0, nodes_at, offset };
    let mut open: Vec<Node<'_>> = Vec::new();
    loop {
        let start = walk.at;
        match walk.word()? {
            BEGIN_NODE if open.len() == MOST_DEEP => {
                return Err(walk.error(Fault::Limit, start, "a node within nodes", "fewer nodes around it"));
            }
            BEGIN_NODE => {
                let name = walk.name()?.escape_ascii().to_string();
                open.push(Node { name, ..Node::default() });
            }
            PROPERTY => {
                let length = walk.word()? as usize;
                let name = walk.word()? as usize;
                let at = walk.at.saturating_add(nodes_at);
                let value = walk.bytes(length)?;
                let name = names.get(name..).and_then(|rest| rest.split(|byte| *byte == 0).next());
                let name = name.and_then(|name| std::str::from_utf8(name).ok());
                let (Some(name), Some(node)) = (name, open.last_mut()) else {
                    return Err(walk.error(Fault::Text, start, "a property without a name", "one of a node"));
                };
                node.properties.push((name, value, at));
            }
            END_NODE => {
                let ended = open.pop();
                match (ended, open.last_mut()) {
                    (Some(node), Some(parent)) => parent.children.push(node),
                    (Some(root), None) => return Ok(root),
                    (None, _) => {
                        return Err(walk.error(Fault::Mismatch, start, "the end of no node", "a node"));
                    }
                }
            }
            NOTHING => {}
            END => {
                return Err(walk.error(Fault::Truncated, start, "the end", "the end of the outermost node"));
            }
            other => {
                let found = shown(&other.to_be_bytes());
                return Err(walk.error(Fault::Kind, start, found, "a node, a property or an end"));
            }
        }
    }
}

/// Walks over the words of the nodes.
struct Walk<'a> {
    nodes: &'a [u8],
    at: usize,
    nodes_at: usize,
    offset: u64,
}

impl<'a> Walk<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let found = self.at.checked_add(length).and_then(|end| Some((end, self.nodes.get(self.at..end)?)));
        let Some((end, bytes)) = found else {
            let left = self.nodes.len().saturating_sub(self.at);
            let (found, expected) = (format!("{left} bytes"), format!("{length} bytes"));
            return Err(self.error(Fault::Truncated, self.at, found, expected));
        };
        self.at = end.next_multiple_of(4);
        Ok(bytes)
    }

    fn word(&mut self) -> Result<u32, FormatError> {
        Ok(self.bytes(4)?.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
    }

    fn name(&mut self) -> Result<&'a [u8], FormatError> {
        let rest = self.nodes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let name = self.bytes(length.saturating_add(1))?;
        Ok(name.get(..length).unwrap_or_default())
    }

    fn error(
        &self,
        fault: Fault,
        at: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> FormatError {
        let place = self.offset.saturating_add(self.nodes_at as u64).saturating_add(at as u64);
        FieldReader::new(Layer::Fit, place, &[]).error(fault, "tree", place, found, expected)
    }
}
