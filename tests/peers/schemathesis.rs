//! The REST server keeps what its OpenAPI document promises, by the judgement of schemathesis.

use crate::support::bed::environment;
use crate::support::rest::{Facts, Rest};
use std::process::{Command, Stdio};

/// A 503 of `ready` is its purpose. Everything else that begins with 5 is a fault.
const CONFIG: &str = r#"
[[operations]]
include-operation-id = "ready"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 503]
"#;

/// Left to itself it never guesses the printer's id.
const ID: &str = "[parameters]\nid = \"A1M-1\"\n";

#[test]
fn nothing_is_found_before_data() {
    check(Facts::before_data());
}

#[test]
fn nothing_is_found_with_data() {
    check(Facts::with_data());
}

fn check(facts: Facts) {
    let rest = Rest::start(facts);
    for parameters in ["", ID] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("schemathesis.toml");
        std::fs::write(&config, format!("{parameters}{CONFIG}")).unwrap();
        let output = Command::new(environment("SCHEMATHESIS", ".cache/python/schemathesis/bin/schemathesis"))
            .arg("--config-file")
            .arg(&config)
            .args(["run", &format!("http://{}/api/openapi.json", rest.address)])
            // The seed makes what it finds come again.
            .args(["--checks", "all", "--mode", "all", "--max-examples", "200", "--seed", "3"])
            .args(["--continue-on-failure", "--request-timeout", "10", "--no-color"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        // The path of the document itself is not counted.
        assert!(said.contains("Tested: 7\n"), "{said}");
        eprintln!("{said}");
    }
}
