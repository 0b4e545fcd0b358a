//! The command line.

pub mod build;
