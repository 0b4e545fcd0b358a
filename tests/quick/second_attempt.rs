//! The script behind `make test`, with a cargo that prints what the real one does.

use crate::support::programs::write_program;
use std::path::Path;
use std::process::{Command, Output};

/// What an executable of tests prints at its end where these failed.
fn executable(failed: &[&str]) -> String {
    let told: String =
        failed.iter().map(|name| format!("---- {name} stdout ----\nfailures:\n    seen\n\n")).collect();
    let listed: String = failed.iter().map(|name| format!("    {name}\n")).collect();
    match failed {
        [] => "\nrunning 2 tests\n\ntest result: ok. 2 passed; 0 failed\n\n".to_owned(),
        _ => format!(
            "\nrunning 9 tests\n\nfailures:\n\n{told}\nfailures:\n{listed}\ntest result: FAILED. 1 passed\n\n"
        ),
    }
}

/// What cargo prints at its end where these executables failed.
fn cargo(targets: &[&str]) -> String {
    let listed: String = targets.iter().map(|target| format!("    `{target}`\n")).collect();
    format!("error: {} target{} failed:\n{listed}", targets.len(), if targets.len() == 1 { "" } else { "s" })
}

/// Runs the script where cargo prints these texts, one after the other; all but an empty last one are failures. Returns
/// the arguments of each run of cargo, too.
fn attempt(runs: &[String], second: Option<&str>) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("toolchain")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("toolchain/test.sh");
    std::fs::copy(script, at("toolchain/test.sh")).unwrap();
    for (n, text) in runs.iter().enumerate() {
        std::fs::write(at(&format!("run{}", n + 1)), text).unwrap();
    }
    let cargo =
        "#!/bin/sh\necho \"$*\" >>runs\nsaid=run$(grep -c . runs)\ncat $said\n! grep -q failed: $said\n";
    write_program(&at("cargo"), cargo);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut script = Command::new(at("toolchain/test.sh"));
    script.env("PATH", path).env_remove("SECOND_ATTEMPT");
    if let Some(second) = second {
        script.env("SECOND_ATTEMPT", second);
    }
    let output = script.output().unwrap();
    let runs = std::fs::read_to_string(at("runs")).unwrap();
    (output, runs.lines().map(str::to_owned).collect())
}

const BRIDGES: &str = "-p octobridge --test peers";
const WORKSHOP: &str = "-p octo --test quick";

#[test]
fn tests_of_whole_programs_get_a_second_attempt_that_is_told() {
    let all = || executable(&[]);
    let table = [
        // What failed first, what fails then; the arguments of the second run, the code, the last words.
        (vec![all()], None, None, 0, ""),
        (
            vec![executable(&["page::late"]) + &cargo(&[BRIDGES]), all()],
            None,
            Some("page::late"),
            0,
            "passed at the second attempt only: page::late\n",
        ),
        (
            vec![
                executable(&["full", "keys::two"])
                    + &executable(&["page::late"])
                    + &cargo(&[WORKSHOP, BRIDGES]),
                executable(&["keys::two"]) + &executable(&[]) + &cargo(&[WORKSHOP]),
            ],
            None,
            Some("full keys::two page::late"),
            1,
            "failed twice: keys::two\n",
        ),
        // Too many.
        (vec![executable(&["a", "b", "c", "d"]) + &cargo(&[BRIDGES])], None, None, 1, ""),
        // What depends on nothing else has no excuse.
        (vec![executable(&["a"]) + &cargo(&["-p octofw --lib"])], None, None, 1, ""),
        (
            vec![executable(&["a"]) + &executable(&["b"]) + &cargo(&[BRIDGES, "-p octofw --lib"])],
            None,
            None,
            1,
            "",
        ),
        // The bridges' executable was killed, and does not say what it had not run.
        (vec![executable(&["a"]) + &cargo(&[WORKSHOP, BRIDGES])], None, None, 1, ""),
        // It was not built.
        (vec!["error: could not compile `octo`: failed:\n".to_owned()], None, None, 1, ""),
        (vec![executable(&["a"]) + &cargo(&[BRIDGES])], Some("no"), None, 1, ""),
    ];
    for (row, (runs, second, again, code, said)) in table.into_iter().enumerate() {
        let (output, ran) = attempt(&runs, second);
        let whole = "test --locked --workspace --no-fail-fast".to_owned();
        let again = again.map(|names| format!("{whole} --test peers --test quick -- --exact {names}"));
        assert_eq!(ran, [Some(whole), again].into_iter().flatten().collect::<Vec<_>>(), "row {row}");
        assert_eq!(output.status.code(), Some(code), "row {row}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "row {row}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(runs.iter().all(|run| printed.contains(run.as_str())), "row {row}: all is shown: {printed}");
    }
}
