//! See `octo_session::init`.

fn main() {}
