//! Vectors of the realtime bridge in which sockets matter, through the whole program in real time: the watch over the
//! feed, and what Telegram refuses.

use crate::telegram_vectors::over_sockets;
use std::path::Path;

/// Those that take less than three minutes. Longer ones run on the clock that jumps.
const NAMES: [&str; 6] = [
    "w01-image-timeout",
    "w05-server-closes-at-once",
    "t01-429",
    "t02-migrated",
    "t05-thread-gone",
    "n11-pause-resume-error",
];

#[test]
fn the_program_does_over_sockets_what_the_rules_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/telegram");
    // They wait nearly all the time, so they wait together.
    std::thread::scope(|scope| {
        let runs = NAMES.map(|name| {
            let path = folder.join(format!("{name}.json"));
            (name, scope.spawn(move || over_sockets(&path)))
        });
        for (name, run) in runs {
            assert_eq!(run.join().unwrap(), Ok(()), "{name}");
        }
    });
}
