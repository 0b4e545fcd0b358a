//! The file that `octo init` writes: the example with a secret of its own.

use super::Secret;

/// The example: every key with its default; those without one are comments.
pub const EXAMPLE: &str = include_str!("../../examples/config.toml");

/// The line of the example that stands for the secret.
const LINE: &str = "# jwt_secret = ";

/// The example with this signing secret.
#[must_use]
pub fn with(secret: &Secret) -> String {
    let mut text = String::with_capacity(EXAMPLE.len() + 64);
    for line in EXAMPLE.lines() {
        if line.starts_with(LINE) {
            text.push_str("jwt_secret = \"");
            text.push_str(secret.reveal());
            text.push('"');
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
