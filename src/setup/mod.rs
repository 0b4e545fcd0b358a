//! What pairing leaves behind, whoever it is paired by: secrets in their files, switches and chats in extended.cfg.
//!
//! A terminal (`octobridge pair`) and the set-up page both walk a person there in their own way; what is stored, and what is
//! said when it cannot be, is here.

mod addresses;
mod place;
pub(crate) mod prusa_connect;
pub(crate) mod secret;
pub(crate) mod telegram;
pub(crate) mod trial;

pub(crate) use addresses::{Found, find as find_addresses};
pub(crate) use place::{Note, Place, Stop};
