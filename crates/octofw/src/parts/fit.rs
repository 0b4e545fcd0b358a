//! The kernel's image, and U-Boot's own: a flattened image tree (FIT), a device tree that names images, their sums, and
//! which belong together. Source: U-Boot's documentation, "Flattened Image Tree (FIT) Format".

use serde::Serialize;

use super::PartError;
use super::fdt::{self, Node};
use super::hash::Hash;
use super::resource::{self, Resource};
use crate::container::fields::FieldReader;
use crate::container::{Fault, FormatError, Layer, SourceFile, Span};

/// A flattened image tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// What its maker calls it.
    pub description: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// The images.
    pub images: Vec<FitImage>,
    /// Names of the configurations, each of which says what belongs together.
    pub configurations: Vec<String>,
    /// The configuration that is started.
    pub default: Option<String>,
}

/// One image of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FitImage {
    /// Name.
    pub name: String,
    /// What it is: `kernel`, `flat_dt`, `multi`.
    pub kind: Option<String>,
    /// How it is compressed.
    pub compression: Option<String>,
    /// Where it is loaded to, as `0xffffff00`.
    pub load: Option<String>,
    /// Offset in the part, in bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Its sum.
    pub hash: Option<Hash>,
    /// What it holds, where it is one of logos and device trees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

/// Reads the one that lies at `at`, and takes the sums that it states where `sums` are wanted.
pub(super) fn read(
    source: &SourceFile,
    at: Span,
    sums: bool,
    wrong: &mut Vec<FormatError>,
) -> Result<Fit, PartError> {
    let header = source.read_up_to(at.offset, fdt::HEADER_LEN)?;
    let length = fdt::length(&header, at.offset)?;
    let Some(tree_at) = at.part(0, u64::from(length)) else {
        let (found, expected) = (format!("{} bytes", at.len), format!("{length} bytes"));
        let fields = FieldReader::new(Layer::Fit, at.offset, &[]);
        return Err(fields.error(Fault::Truncated, "tree", at.offset, found, expected).into());
    };
    let tree = source.read_up_to(tree_at.offset, length as usize)?;
    let root = fdt::parse(&tree, at.offset)?;
    let mut images = Vec::new();
    for node in root.child("images").map(|images| images.children.as_slice()).unwrap_or_default() {
        // Content outside the tree is counted from its end.
        let behind = u64::from(length).next_multiple_of(4);
        let mut image = describe(node);
        let data = place(node, behind).and_then(|(offset, size)| Some((offset, at.part(offset, size)?)));
        let Some((offset, data)) = data else {
            let field = format!("place of {}", image.name);
            let expected = format!("a place within the {} bytes of it", at.len);
            let fields = FieldReader::new(Layer::Fit, at.offset, &[]);
            let found = place(node, behind)
                .map_or_else(|| "none".to_owned(), |(offset, size)| format!("{size} bytes from {offset:#x}"));
            return Err(fields.error(Fault::OutOfBounds, field, at.offset, found, expected).into());
        };
        (image.offset, image.size) = (offset, data.len);
        if let Some(hash) = image.hash.as_mut().filter(|_| sums) {
            hash.check(source, data, (Layer::Fit, &image.name), wrong)?;
        }
        if source.read_up_to(data.offset, 4)? == resource::MAGIC && data.len >= 4 {
            image.resource = Some(resource::read(source, data, sums, wrong)?);
        }
        images.push(image);
    }
    let configurations = root.child("configurations");
    Ok(Fit {
        description: root.text("description"),
        created: root.number("timestamp"),
        images,
        configurations: configurations
            .map(|node| node.children.iter().map(|child| child.name.clone()).collect())
            .unwrap_or_default(),
        default: configurations.and_then(|node| node.text("default")),
    })
}

fn describe(node: &Node<'_>) -> FitImage {
    let hash = node.children.iter().find(|child| child.name.starts_with("hash")).and_then(|child| {
        let (value, _) = child.bytes("value")?;
        Some(Hash::stated(child.text("algo")?, value))
    });
    FitImage {
        name: node.name.clone(),
        kind: node.text("type"),
        compression: node.text("compression"),
        load: node.number("load").map(|load| format!("{load:#010x}")),
        offset: 0,
        size: 0,
        hash,
        resource: None,
    }
}

/// Where an image's content lies, from the start of the tree, and its bytes; `behind` is the end of the tree.
fn place(node: &Node<'_>, behind: u64) -> Option<(u64, u64)> {
    if let Some((data, at)) = node.bytes("data") {
        return Some((at as u64, data.len() as u64));
    }
    let size = node.number("data-size")?;
    let offset = match (node.number("data-position"), node.number("data-offset")) {
        (Some(position), _) => position,
        (None, Some(offset)) => behind.checked_add(offset)?,
        (None, None) => return None,
    };
    Some((offset, size))
}
