//! See `octo_session::terminal`.

fn main() {}
