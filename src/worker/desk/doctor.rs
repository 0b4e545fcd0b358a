//! The examination, at the press of a button.

use super::{Work, spawn};
use crate::clock::Clock;
use crate::doctor::{News, examine};
use crate::page::{Examination, SAID};

/// Begins it.
pub(super) fn begin(work: Work) -> Result<(), String> {
    if !work.board.begin_examination() {
        return Err(SAID.examined.to_owned());
    }
    let board = work.board.clone();
    let begun = spawn(move || {
        // Those that the service has read may be older than what somebody has written.
        examine(&work.ground.read(), &work.clock, &mut |news| {
            work.board.examine(|examination| {
                if let Examination::Running { sections, at } = examination {
                    match news {
                        News::Looking(what) => *at = what,
                        News::Found(section) => sections.push(section),
                    }
                }
            });
        });
        let at = work.clock.now().unix;
        work.board.examine(|examination| {
            if let Examination::Running { sections, .. } = examination {
                *examination = Examination::Done { sections: std::mem::take(sections), at };
            }
        });
    });
    if begun.is_err() {
        board.examine(|examination| *examination = Examination::None);
    }
    begun
}
