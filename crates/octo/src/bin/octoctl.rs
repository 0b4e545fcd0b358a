//! See `octo::ctl`.

fn main() {}
