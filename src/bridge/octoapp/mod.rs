//! OctoApp: pushes to its phone apps, as its companion plugin for Moonraker (3.x) sends them, without Python.
//!
//! The apps write a record for each phone into Moonraker's database, and read there that somebody looks after the
//! printer. So nothing is paired, and no account is needed: who is in the database is told.
//!
//! | module | what |
//! |---|---|
//! | [`app`] | the records of the apps, read leniently |
//! | [`registry`] | the database: presence, the key of the cipher, expired and dead records |
//! | [`follow`] | from sights and events to pushes: start, pause, progress, ends |
//! | [`print`](self::print) | the print that is followed, also over a restart |
//! | [`scan`] | layers and messages in the G-code, by position |
//! | [`reckon`], [`frontend`] | progress, time left and name as the web front end shows them |
//! | [`push`], [`audience`], [`letter`] | what is told, to whom, when, and how often it is tried |
//! | [`android`], [`cipher`], [`apple`] | the two forms of what phones get |
//! | [`spacing`], [`remote`] | how often progress is told |
//! | [`core`](self::core) | all of it, without threads |
//! | [`outside`] | what it needs of the world |

mod android;
mod app;
mod apple;
mod audience;
mod cipher;
mod core;
mod follow;
mod frontend;
mod letter;
mod outside;
mod print;
mod push;
mod reckon;
mod registry;
pub mod rehearsal;
mod remote;
mod report;
mod scan;
mod spacing;

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "octoapp";
