//! What a runtime means when it refuses: podman and docker tell only in words, and some by the exit code.

use super::RuntimeError;

/// Bytes of a refusal that are kept.
const KEPT: usize = 2000;

/// A call that failed.
pub(super) struct Refused<'a> {
    /// The runtime's command, as `run`; for messages.
    pub(super) command: &'a str,
    /// What it was about: a container, an image or a network.
    pub(super) about: &'a str,
    /// The exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// Its standard error.
    pub(super) said: &'a [u8],
}

/// The kind of refusal.
pub(super) fn classify(refused: &Refused<'_>) -> RuntimeError {
    let said = last(refused.said);
    let lower = said.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let about = refused.about.to_owned();
    if has(&[
        "cannot connect to the docker daemon",
        "is the docker daemon running",
        "failed to connect to the docker api",
        "unable to connect to podman",
        "cannot connect to podman",
    ]) {
        return RuntimeError::Absent(format!("the container runtime does not answer: {said}"));
    }
    // The words of a name that is taken come before those of a port: both say "already in use".
    if has(&["the container name"]) && has(&["already in use"]) {
        return RuntimeError::NameTaken(about);
    }
    if has(&["address already in use", "port is already allocated", "ports are not available"]) {
        return RuntimeError::PortTaken(said);
    }
    if has(&["no such container", "no container with name or id"]) {
        return RuntimeError::NoContainer(about);
    }
    if has(&["image not known", "no such image", "unable to find image"]) {
        return RuntimeError::NoImage(about);
    }
    // Only where a name is looked up: a run may fail by such words for other causes.
    let words = ["invalid reference format", "must be lowercase", "no 64-byte hexadecimal value"];
    if refused.command.ends_with("image inspect") && has(&words) {
        return RuntimeError::NotAName { name: about, said };
    }
    let status = match refused.code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    RuntimeError::Failed { command: refused.command.to_owned(), status, said }
}

/// The end of what was said, where the cause stands, in one line without control characters.
fn last(said: &[u8]) -> String {
    let start = said.len().saturating_sub(KEPT);
    let text = String::from_utf8_lossy(said.get(start..).unwrap_or_default());
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(code: i32, said: &str) -> &'static str {
        let refused = Refused { command: "run", about: "it", code: Some(code), said: said.as_bytes() };
        match classify(&refused) {
            RuntimeError::Absent(_) => "absent",
            RuntimeError::NoContainer(_) => "no container",
            RuntimeError::NoImage(_) => "no image",
            RuntimeError::NotAName { .. } => "no name",
            RuntimeError::PortTaken(_) => "port",
            RuntimeError::NameTaken(_) => "name",
            RuntimeError::Slow { .. } => "slow",
            RuntimeError::Failed { .. } => "failed",
        }
    }

    #[test]
    fn words_of_both_runtimes_are_understood() {
        let rows = [
            (
                126,
                "Error: cannot listen on the TCP port: listen tcp4 127.0.0.1:43990: bind: address already in use",
                "port",
            ),
            (126, "Error: rootlessport listen tcp 127.0.0.1:43990: bind: address already in use", "port"),
            (
                125,
                "docker: Error response from daemon: driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:43990 failed: port is already allocated.",
                "port",
            ),
            (
                125,
                "Error: creating container storage: the container name \"octo-abc\" is already in use by d96653. You have to remove that container to be able to reuse that name: that name is already in use",
                "name",
            ),
            (
                125,
                "docker: Error response from daemon: Conflict. The container name \"/octo-abc\" is already in use by container \"d96653\". You have to remove (or rename) that container",
                "name",
            ),
            (125, "Error: nope:latest: image not known", "no image"),
            (
                125,
                "docker: Error response from daemon: No such image: nope:latest.\nSee 'docker run --help'.",
                "no image",
            ),
            (125, "Unable to find image 'nope:latest' locally", "no image"),
            (125, "Error: no container with name or ID \"nope\" found: no such container", "no container"),
            (1, "Error response from daemon: No such container: nope", "no container"),
            (
                1,
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                "absent",
            ),
            (
                125,
                "Error: unable to connect to Podman socket: dial unix /run/podman/podman.sock: connect: no such file",
                "absent",
            ),
            (125, "Error: write /var/lib/containers/x: no space left on device", "failed"),
            (1, "", "failed"),
        ];
        for (code, said, expected) in rows {
            assert_eq!(kind(code, said), expected, "{said}");
        }
    }

    #[test]
    fn a_failure_tells_its_end_and_its_code() {
        let said = format!("{}\nlevel=warning\nError: the cause\n", "x".repeat(5000));
        let refused = Refused { command: "run", about: "it", code: Some(125), said: said.as_bytes() };
        let told = classify(&refused).to_string();
        assert!(told.starts_with("run failed (exit code 125): xxx"), "{told}");
        assert!(told.ends_with("x; level=warning; Error: the cause"), "{told}");
        assert!(told.len() < 2100, "{}", told.len());
        let killed = classify(&Refused { command: "stop", about: "it", code: None, said: b"" });
        assert_eq!(killed.to_string(), "stop failed (ended by a signal): ");
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic(said in proptest::collection::vec(any::<u8>(), 0..3000), code in any::<Option<i32>>()) {
            let _ = classify(&Refused { command: "run", about: "it", code, said: &said });
        }
    }
}
