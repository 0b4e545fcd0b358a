//! See `octo::cli`.

fn main() {}
