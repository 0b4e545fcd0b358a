#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::runtime::Limits;
use std::collections::BTreeMap;
use std::time::Instant;

/// A runtime that is a script: it writes down how it is called, and does what `script` says.
fn scripted(script: &str, limit: Duration) -> (tempfile::TempDir, Cli) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("podman");
    let log = folder.path().join("calls");
    let whole = format!("echo \"$*\" >> {}\n{script}\n", log.display());
    std::fs::write(&file, whole).unwrap();
    let manner = Manner {
        kind: Kind::Podman,
        rootless: false,
        selinux: false,
        owner: "1000:1000".into(),
        global: vec![file.to_str().unwrap().to_owned()],
        run: Vec::new(),
    };
    let cli = Cli {
        // The shell reads the script: a program that was just written may not be run yet.
        program: "/bin/sh".into(),
        manner,
        version: String::new(),
        limit,
        scratch: folder.path().join("scratch"),
        changes: Semaphore::new(1),
        looks: Semaphore::new(2),
        stops: Semaphore::new(2),
        networks: Mutex::default(),
        networking: tokio::sync::Mutex::default(),
    };
    (folder, cli)
}

fn calls(folder: &tempfile::TempDir) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

fn launch() -> Launch {
    Launch {
        name: "octo-1".into(),
        image: "octo-dev:latest".into(),
        labels: [(labels::SESSION.to_owned(), "s1".to_owned())].into(),
        ports: Vec::new(),
        publish_host: [127, 0, 0, 1].into(),
        home: "/home/x".into(),
        workspace: None,
        env: BTreeMap::new(),
        network: None,
        limits: Limits::default(),
        patience: Duration::from_secs(1),
    }
}

const LONG: Duration = Duration::from_secs(20);

/// What `container inspect` says of a container of this session.
fn found(session: &str) -> String {
    format!(
        r#"container) echo '[{{"Id":"c1","State":{{"Status":"created"}},"Config":{{"Labels":{{"octo.session":"{session}"}}}}}}]' ;;"#
    )
}

#[tokio::test]
async fn what_is_half_made_is_removed_if_it_is_ours() {
    let taken = r"run) echo 'Error: bind: address already in use' >&2; exit 126 ;;";
    for (session, removed) in [("s1", true), ("another", false)] {
        let script = format!("case $1 in\n{taken}\n{}\nesac", found(session));
        let (folder, cli) = scripted(&script, LONG);
        assert!(matches!(cli.launch(&launch()).await, Err(RuntimeError::PortTaken(_))));
        assert_eq!(calls(&folder).contains(&"rm --force".to_owned()), removed, "{session}");
        assert_eq!(std::fs::read_dir(folder.path().join("scratch")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_name_of_somebody_else_is_left_alone() {
    let script = r#"echo 'Error: the container name "octo-1" is already in use' >&2; exit 125"#;
    let (folder, cli) = scripted(script, LONG);
    assert!(matches!(cli.launch(&launch()).await, Err(RuntimeError::NameTaken(_))));
    assert_eq!(calls(&folder), ["run --detach"]);
}

#[tokio::test]
async fn a_launch_gives_an_id_or_fails() {
    let id = "0123456789abcdef".repeat(4);
    let (_folder, cli) = scripted(&format!("echo a warning; echo {id}"), LONG);
    assert_eq!(cli.launch(&launch()).await.unwrap(), id);
    let (_folder, cli) = scripted("case $1 in run) echo no id here ;; *) exit 125 ;; esac", LONG);
    assert!(matches!(cli.launch(&launch()).await, Err(RuntimeError::Failed { .. })));
    let unfit = Launch { home: "/a:/etc".into(), ..launch() };
    assert!(matches!(cli.launch(&unfit).await, Err(RuntimeError::Failed { .. })));
}

#[tokio::test]
async fn one_that_hangs_is_given_up_and_blocks_nobody_for_ever() {
    let (_folder, cli) = scripted("case $1 in start) sleep 60 ;; esac", Duration::from_millis(400));
    let started = Instant::now();
    assert!(matches!(cli.start("c1").await, Err(RuntimeError::Slow { .. })));
    cli.start("c1").await.unwrap_err();
    cli.remove("c1").await.unwrap();
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn what_is_not_there_is_no_error_where_nobody_minds() {
    let (_folder, cli) = scripted("echo 'Error: no such container c1' >&2; exit 125", LONG);
    cli.remove("c1").await.unwrap();
    assert_eq!(cli.inspect("c1").await.unwrap(), None);
    assert!(matches!(cli.stop("c1", Duration::ZERO).await, Err(RuntimeError::NoContainer(_))));
    let (_folder, cli) = scripted("echo 'Error: x: image not known' >&2; exit 125", LONG);
    assert_eq!(cli.image("x").await.unwrap(), None);
    // A runtime that is broken says nothing about what is there.
    let (_folder, cli) = scripted("echo 'Error: database is locked' >&2; exit 125", LONG);
    assert!(
        cli.inspect("c1").await.is_err() && cli.image("x").await.is_err() && cli.remove("c1").await.is_err()
    );
}

/// Docker makes as many networks of one name as it is asked for, and then refuses the name as ambiguous.
#[tokio::test]
async fn two_that_start_at_one_time_make_one_network() {
    let script = r#"made=${0%/*}/made; case "$1 $2" in
        "network inspect") [ -e "$made" ] ;;
        "network create") sleep 0.2; touch "$made" ;;
        esac"#;
    let (folder, cli) = scripted(script, LONG);
    let both = tokio::join!(cli.network("octo-a", "i1"), cli.network("octo-a", "i1"));
    assert!(both.0.is_ok() && both.1.is_ok());
    let made = calls(&folder).into_iter().filter(|call| call == "network create").count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn only_containers_of_this_installation_are_listed() {
    let labels = r#""Labels":{"octo.managed":"true","octo.instance":"#;
    let script = format!(r#"echo '[{{"Id":"a",{labels}"i1"}}}},{{"Id":"b",{labels}"i2"}}}},{{"Id":"c"}}]'"#);
    let (_folder, cli) = scripted(&script, LONG);
    let ids: Vec<String> = cli.list("i1").await.unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(ids, ["a"], "whatever the runtime makes of its filters");
}

#[tokio::test]
async fn a_commands_own_failure_is_no_failure_of_the_runtime() {
    let exec = Exec { command: vec!["x".into()], user: "1:1".into(), folder: None, limit: LONG };
    let (_folder, cli) = scripted("echo out; echo 'Error: mine' >&2; exit 3", LONG);
    let done = cli.exec("c1", &exec).await.unwrap();
    assert_eq!((done.exit_code, &*done.stdout, &*done.stderr), (3, &b"out\n"[..], &b"Error: mine\n"[..]));
    let (_folder, cli) = scripted("echo 'Error: no such container c1' >&2; exit 125", LONG);
    assert!(matches!(cli.exec("c1", &exec).await, Err(RuntimeError::NoContainer(_))));
}

#[tokio::test]
async fn a_log_is_followed_until_nobody_listens() {
    let script =
        "case $1 in logs) echo one; echo two >&2; printf 'a%.0s' $(seq 20000); echo; exec sleep 60 ;; esac";
    let (_folder, cli) = scripted(script, LONG);
    let mut lines = cli.follow("c1", 5).await.unwrap();
    assert_eq!((lines.recv().await.unwrap(), lines.recv().await.unwrap()), ("one".into(), "two".into()));
    assert_eq!(lines.recv().await.unwrap().len(), LINE);
    drop(lines);
    let (_folder, cli) = scripted("echo one; echo last", LONG);
    let mut lines = cli.follow("c1", 5).await.unwrap();
    let mut all = Vec::new();
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    assert_eq!(all, ["one", "last"]);
}

/// Some names that have nothing but letters of names are none all the same: only the runtime knows all its rules.
#[tokio::test]
async fn a_name_that_no_image_can_have_is_the_asker_s_mistake() {
    for said in [
        "Error: inspecting object: repository name must be lowercase",
        "Error: inspecting object: invalid reference format",
        "Error: inspecting object: sha256:zz: invalid format: no 64-byte hexadecimal value",
        "Error response from daemon: invalid reference format: repository name (library/Foo) must be lowercase",
    ] {
        let (_folder, cli) = scripted(&format!("echo '{said}' >&2; exit 125"), LONG);
        let error: crate::lifecycle::LifecycleError = cli.image("Foo").await.unwrap_err().into();
        let refusal = crate::api::error::ApiError::from(error);
        assert_eq!(refusal.code, crate::api::error::Code::BadRequest, "{refusal}");
        assert!(refusal.to_string().contains("Foo") && refusal.retry_after.is_none(), "{refusal}");
    }
}

/// What is asked for is the end of a log, so that is what stays of one that is too long.
#[tokio::test]
async fn of_a_long_log_the_end_is_kept() {
    let (_folder, cli) = scripted("seq -f 'line %06.0f of what the container printed' 1 50000", LONG);
    let log = cli.logs("c1", 10_000).await.unwrap();
    assert!(log.len() <= PRINTED, "{} bytes", log.len());
    assert!(log.ends_with("line 050000 of what the container printed\n"), "{:?}", log.lines().last());
    let first = log.lines().next().unwrap();
    assert!(first.starts_with("line 0") && first.ends_with(" printed"), "{first:?} is no whole line");
    assert!(log.len() > PRINTED - 100, "{} bytes", log.len());
}

/// A docker client without its daemon is on many machines; a program that merely exists is no runtime.
#[tokio::test]
async fn a_program_that_only_exists_is_no_runtime() {
    let mut config = crate::config::Config::default();
    for program in ["/bin/true", "/nowhere/podman", "/bin/cat"] {
        config.container.binary = Some(program.into());
        let folder = tempfile::tempdir().unwrap();
        let told = match Cli::find(&config, folder.path().to_owned()).await {
            Err(RuntimeError::Absent(told)) => told,
            _ => panic!("{program} was taken for a runtime"),
        };
        assert!(told.contains(program) && told.contains("container.binary"), "{told}");
    }
    let (_folder, mut cli) = scripted(r#"echo '{"Client":{"Version":"24.0.7"},"Server":null}'"#, LONG);
    cli.manner.kind = Kind::Docker;
    assert!(cli.probe().await.unwrap_err().to_string().contains("is docker's daemon running?"));
}
