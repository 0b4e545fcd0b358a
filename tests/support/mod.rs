//! The other side of the tests: strict stand-ins for services that cannot be had, and the real peers that can.
#![allow(dead_code, reason = "each test program uses the part it needs")]

pub mod bed;
pub mod forward;
pub mod http;
pub mod telegram;
pub mod wait;
