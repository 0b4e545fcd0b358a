//! Runs a small helper program to its end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Error;

/// Runs `command` with `input` on its standard input and gives what it printed on standard output.
///
/// `program` and `package` name it in errors.
pub(super) fn run(
    program: &'static str,
    package: &'static str,
    command: &mut Command,
    input: &[u8],
) -> Result<String, Error> {
    // e2fsprogs lives where only root's PATH looks.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let start = |source| Error::Start { program, package, source };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(start)?;
    // A program that stops reading early says why on its standard error; the broken pipe itself tells nothing.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(start)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && written.is_ok() {
        return Ok(text);
    }
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(Error::Tool { program, output: said.trim().to_owned() })
}
