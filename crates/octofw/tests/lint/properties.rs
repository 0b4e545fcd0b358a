//! Whatever is in an overlay, looking at it ends well and finds the same again.

use octofw::lint::ALLOW_FILE;
use proptest::prelude::*;

use crate::bed::Bed;

/// Paths that rules look into, each in its own way.
const PATHS: [&str; 12] = [
    "root/etc/init.d/S66x",
    "root/etc/init.d/S66x.sh",
    "root/usr/bin/tool",
    "root/usr/local/share/firmware-config/extended/extended2.cfg",
    "root/usr/local/share/firmware-config/extended/klipper/x.cfg",
    "root/usr/local/share/firmware-config/functions/53_x.yaml",
    "root/etc/x.json",
    "scripts/1.sh",
    "pre-scripts/1.sh",
    "patches/etc/1.patch",
    "owners",
    ALLOW_FILE,
];

/// Beginnings that lead further than bytes at random.
const HEADS: [&[u8]; 9] = [
    b"",
    b"#!/bin/sh\n",
    b"#!/bin/bash\ncase $1 in start) start-stop-daemon -S ",
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0",
    b"[web]\na: ",
    b"settings:\n  web:\n    items:\n      ",
    b"{\"a\": ",
    b"--- a/config\n+++ b/config\n@@ -1,4 +1,4 @@\n one\n",
    b"[[allow]]\ncode = \"",
];

fn content() -> impl Strategy<Value = Vec<u8>> {
    let words = "([ -~\n\r\t]|start\\)|esac|\\$1|\\$\\(|-p /run/x|: |- |\\[x\\]\n|= ){0,80}";
    let tail =
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), words.prop_map(String::into_bytes),];
    (proptest::sample::select(&HEADS[..]), tail).prop_map(|(head, tail)| [head, &tail].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_bytes_in_any_file_are_taken(contents in proptest::collection::vec(content(), 12), based in any::<bool>()) {
        let mut bed = Bed::new();
        for (path, content) in PATHS.iter().zip(&contents) {
            bed.program(path, content);
        }
        if based {
            bed.based();
        }
        let report = bed.report();
        prop_assert_eq!(&report, &bed.report());
        prop_assert!(!octofw::lint::text(&report, true, true).is_empty());
        prop_assert!(octofw::lint::sarif(&report).is_object());
    }
}
