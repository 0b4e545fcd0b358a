//! `boot_fit.sh COMMAND IMAGE…`: the kernel's image, taken apart and put together by the tree's own script.
//!
//! Here is only the look whether there is anything to take apart: a base that is not the vendor's has no kernel, no logo,
//! and nothing that a script could draw on.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::{Surroundings, ToolError, system};
use crate::command::Command;

/// How scripts call it.
pub const NAME: &str = "boot_fit.sh";
const USAGE: &str = "boot_fit.sh extract|list|self-test IMAGE [FOLDER], or boot_fit.sh repack FOLDER IMAGE";
/// What the vendor's image consists of.
const PARTS: [&str; 3] = ["fdt", "kernel", "resource"];
/// Most bytes of the head, which lists the parts; their content lies behind it.
const HEAD: u64 = 1 << 20;

pub(super) fn run(arguments: &[OsString], surroundings: &Surroundings) -> Result<u8, ToolError> {
    let [command, first, ..] = arguments else { return Err(ToolError::Usage(USAGE)) };
    if command != "repack" {
        let image = Path::new(first);
        let failed = || system(format!("cannot read {}", image.display()));
        let mut head = Vec::new();
        File::open(image).map_err(failed())?.take(HEAD).read_to_end(&mut head).map_err(failed())?;
        let parts = parts(&head).unwrap_or_default();
        if !PARTS.iter().all(|part| parts.iter().any(|found| found == part)) {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            return Err(surroundings.vendor(format!("{name} with a kernel and a logo")));
        }
    }
    let Some(own) = surroundings.own(NAME) else {
        let problem = "the tree has no such script of its own, which knows how to do it".to_owned();
        return Err(ToolError::Place { path: Path::new("scripts/helpers").join(NAME), problem });
    };
    Ok(Command::new(own).args(arguments).run_inherited()?)
}

/// The parts that a flattened image tree names: the nodes below `images`. Nothing where it is none.
fn parts(head: &[u8]) -> Option<Vec<String>> {
    let word = |at: usize| {
        let bytes = head.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if word(0)? != 0xd00d_feed {
        return None;
    }
    let mut at = word(8)? as usize;
    let mut path: Vec<String> = Vec::new();
    let mut found = Vec::new();
    loop {
        let token = word(at)?;
        at = at.checked_add(4)?;
        match token {
            1 => {
                let rest = head.get(at..)?;
                let length = rest.iter().position(|byte| *byte == 0)?;
                path.push(String::from_utf8_lossy(rest.get(..length)?).into_owned());
                at = at.checked_add(length)?.checked_add(1)?.checked_next_multiple_of(4)?;
                if let [_, images, part] = path.as_slice()
                    && images == "images"
                {
                    found.push(part.clone());
                }
            }
            2 => drop(path.pop()?),
            3 => at = at.checked_add(8)?.checked_add(word(at)? as usize)?.checked_next_multiple_of(4)?,
            4 => {}
            9 => return Some(found),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of nodes; a word in brackets ends one.
    fn tree(words: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        for word in words {
            match *word {
                "]" => body.extend(2_u32.to_be_bytes()),
                "=" => {
                    for number in [3_u32, 5, 0] {
                        body.extend(number.to_be_bytes());
                    }
                    body.extend(b"value\0\0\0");
                }
                name => {
                    body.extend(1_u32.to_be_bytes());
                    body.extend(name.as_bytes());
                    body.push(0);
                    body.resize(body.len().next_multiple_of(4), 0);
                }
            }
        }
        body.extend(9_u32.to_be_bytes());
        let mut all: Vec<u8> =
            [0xd00d_feed_u32, 0, 16, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
        all.extend(body);
        all
    }

    #[test]
    fn the_parts_of_an_image_are_the_nodes_below_images() {
        let image = tree(&[
            "",
            "=",
            "images",
            "fdt",
            "=",
            "hash",
            "]",
            "]",
            "kernel",
            "]",
            "resource",
            "]",
            "]",
            "configurations",
            "conf",
            "]",
            "]",
            "]",
        ]);
        assert_eq!(parts(&image).unwrap(), PARTS);
        assert_eq!(parts(&tree(&["", "images", "]", "]"])).unwrap(), Vec::<String>::new());
        assert_eq!(parts(b"ANDROID!"), None);
        for length in 0..image.len() {
            assert_eq!(parts(&image[..length]), None, "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_image_makes_it_panic(words in proptest::collection::vec(0_u32..16, 0..40)) {
            let mut image = tree(&[]);
            image.truncate(16);
            image.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            let _ = parts(&image);
        }
    }
}
