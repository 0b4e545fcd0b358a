//! See `octo_session::files`.

fn main() {}
