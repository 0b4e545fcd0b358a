//! Who asks: passwords, tokens, cookies, roles, and how often somebody may try.

pub mod identity;

pub use identity::{Identity, Role};
