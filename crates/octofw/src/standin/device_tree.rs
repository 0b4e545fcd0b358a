//! The smallest flattened device tree that a U-Boot FIT reader accepts as one: no image, only a description. It
//! heads the stand-in's `boot.img`, which holds no kernel.

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;

/// The device tree with a description and empty `images` and `configurations` nodes.
pub(super) fn empty_fit(description: &str) -> Vec<u8> {
    let strings = b"description\0";
    let mut nodes = Vec::new();
    let word = |nodes: &mut Vec<u8>, word: u32| nodes.extend(word.to_be_bytes());
    let text = |nodes: &mut Vec<u8>, text: &str| {
        nodes.extend(text.as_bytes());
        nodes.push(0);
        nodes.resize(nodes.len().next_multiple_of(4), 0);
    };
    word(&mut nodes, BEGIN_NODE);
    text(&mut nodes, "");
    word(&mut nodes, PROPERTY);
    word(&mut nodes, description.len() as u32 + 1);
    word(&mut nodes, 0);
    text(&mut nodes, description);
    for name in ["images", "configurations"] {
        word(&mut nodes, BEGIN_NODE);
        text(&mut nodes, name);
        word(&mut nodes, END_NODE);
    }
    word(&mut nodes, END_NODE);
    word(&mut nodes, END);

    let (reserved_at, nodes_at) = (40u32, 56u32);
    let strings_at = nodes_at + nodes.len() as u32;
    let total = strings_at + strings.len() as u32;
    let header = [
        0xd00d_feed,
        total,
        nodes_at,
        strings_at,
        reserved_at,
        17,
        16,
        0,
        strings.len() as u32,
        nodes.len() as u32,
    ];
    let mut tree: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
    tree.extend([0; 16]);
    tree.extend(nodes);
    tree.extend(strings);
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_describes_the_blocks() {
        let tree = empty_fit("stand-in");
        let word = |at: usize| u32::from_be_bytes(tree[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(word(0), 0xd00d_feed);
        assert_eq!(word(4), tree.len());
        assert_eq!(&tree[word(12)..], b"description\0");
        assert_eq!(word(word(8)), BEGIN_NODE as usize);
        assert_eq!(word(word(8) + word(36) - 4), END as usize);
    }
}
