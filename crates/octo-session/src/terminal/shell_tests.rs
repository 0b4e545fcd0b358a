//! Shells, with a real /bin/sh.

use std::sync::Arc;

use super::*;

const KEEPING: Keeping = Keeping { scrollback: 64 << 10, idle: Duration::ZERO, signal: 1 };

fn sh(script: &str, keeping: Keeping) -> Arc<Shell> {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let program = Program { command, directory: None, terminal_type: "xterm-256color".into() };
    let (shell, child) = Shell::start("main", &program, Size { columns: 100, rows: 30 }, keeping).unwrap();
    let shell = Arc::new(shell);
    let running = Arc::clone(&shell);
    tokio::spawn(async move { running.run(child).await });
    shell
}

/// Reads in a window until `wanted` came or the shell ended.
async fn read_until(shell: &Shell, id: u64, wanted: &str) -> (String, Option<i32>) {
    let mut all = String::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(20), shell.next(id)).await.unwrap() {
            Next::Output(piece, next) => {
                all.push_str(&String::from_utf8_lossy(&piece));
                shell.shown(id, next);
            }
            Next::Ended(code) => return (all, Some(code)),
        }
        if all.contains(wanted) {
            return (all, None);
        }
    }
}

#[tokio::test]
async fn it_is_a_terminal_of_the_size_that_is_asked_for() {
    let shell = sh("tty >/dev/null && stty size && echo $TERM && exit 3", KEEPING);
    let (id, _) = shell.attach();
    let (text, code) = read_until(&shell, id, "\u{0}").await;
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(text, "30 100\r\nxterm-256color\r\n");
}

#[tokio::test]
async fn what_is_typed_arrives_and_a_new_size_is_told() {
    let shell =
        sh("trap 'stty size' WINCH; echo ready; while read line; do echo \"got $line\"; done", KEEPING);
    let (id, _) = shell.attach();
    read_until(&shell, id, "ready").await;
    shell.resize(Size { columns: 40, rows: 10 });
    shell.input(b"hello\r").await.unwrap();
    read_until(&shell, id, "got hello").await;
    shell.input(b"\x04").await.unwrap();
    let (text, code) = read_until(&shell, id, "\u{0}").await;
    assert!(code.is_some(), "{text}");
}

#[tokio::test]
async fn it_outlives_its_window_and_shows_what_was_missed() {
    let shell = sh("echo first; read line; echo second; read line", KEEPING);
    let (id, _) = shell.attach();
    read_until(&shell, id, "first").await;
    shell.detach(id);
    shell.input(b"\r").await.unwrap();
    let (again, old) = shell.attach();
    assert!(old);
    let (text, code) = read_until(&shell, again, "second").await;
    assert!(text.starts_with("first\r\n") && code.is_none(), "{text}");
    assert_eq!(shell.windows(), 1);
    shell.end();
    shell.ended().await;
    assert!(shell.was_told_to_end());
}

#[tokio::test]
async fn a_window_that_does_not_read_holds_the_program_up_and_memory_stays_bounded() {
    let shell =
        sh("i=0; while [ $i -lt 4000 ]; do i=$((i+1)); printf '%0200d\\n' $i; done; echo done", KEEPING);
    let (id, _) = shell.attach();
    // It is at a halt when nothing more comes for a while.
    let mut last = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let end = shell.state().ring.end();
        if end == last && end > 0 {
            break;
        }
        last = end;
    }
    assert!(last < 2 * (64 << 10), "{last} bytes though nobody reads");
    // Whoever reads gets all of it, in order.
    let (text, _) = read_until(&shell, id, "done").await;
    let lines: Vec<u32> = text.lines().filter_map(|line| line.trim_start_matches('0').parse().ok()).collect();
    assert_eq!(lines, (1..=4000).collect::<Vec<u32>>());
}

#[tokio::test]
async fn what_ignores_the_signal_is_killed() {
    let shell = sh("trap '' HUP TERM INT; echo ready; while :; do sleep 1; done", KEEPING);
    let (id, _) = shell.attach();
    read_until(&shell, id, "ready").await;
    shell.end();
    tokio::time::timeout(Duration::from_secs(10), shell.ended()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_looks_at_ends_after_a_while() {
    let shell = sh("read line", Keeping { idle: Duration::from_millis(200), ..KEEPING });
    let (id, _) = shell.attach();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!shell.has_ended(), "somebody looks");
    shell.detach(id);
    tokio::time::timeout(Duration::from_secs(10), shell.ended()).await.unwrap();
}
