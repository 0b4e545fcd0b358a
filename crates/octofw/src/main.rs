//! The `octofw` program.

fn main() {}
