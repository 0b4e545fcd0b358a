//! Changes, told as they happen.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::bed::Bed;

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// The next notice, as `type path`.
async fn next(socket: &mut Socket) -> String {
    loop {
        let message =
            tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Text(text) = message {
            let notice: serde_json::Value = serde_json::from_str(&text).unwrap();
            return format!(
                "{} {} {}",
                notice["type"].as_str().unwrap(),
                notice["path"].as_str().unwrap(),
                notice["entry_type"].as_str().unwrap()
            );
        }
    }
}

#[tokio::test]
async fn changes_are_told_once_with_their_kind() {
    let bed = Bed::new();
    bed.put("d/old.txt", "");
    std::os::unix::fs::symlink("..", bed.root().join("d/up")).unwrap();
    let address = bed.listen().await;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{address}/ws/watch?path=d")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.put("d/new.txt", "1");
    bed.put("d/new.txt", "2");
    bed.put("outside-of-it", "");
    // A draft of the server's own is not told, nor what a link leads to.
    bed.send("PUT", "/file?path=d/sent.bin", "x").await.fine();
    let mut first = vec![next(&mut socket).await, next(&mut socket).await];
    first.sort();
    assert_eq!(first, ["file_created d/new.txt file", "file_created d/sent.bin file"]);
    bed.put("d/old.txt", "changed");
    assert_eq!(next(&mut socket).await, "file_modified d/old.txt file");
    std::fs::create_dir(bed.root().join("d/sub")).unwrap();
    assert_eq!(next(&mut socket).await, "dir_created d/sub directory");
    // What is made in a new folder before that is watched is not told: another one comes until one is.
    for number in 0.. {
        assert!(number < 20, "nothing in a new folder is told");
        bed.put(&format!("d/sub/inner{number}"), "");
        if let Ok(told) = tokio::time::timeout(Duration::from_secs(1), next(&mut socket)).await {
            assert!(told.starts_with("file_created d/sub/inner") && told.ends_with(" file"), "{told}");
            break;
        }
    }
    std::fs::remove_file(bed.root().join("d/old.txt")).unwrap();
    let told = loop {
        let told = next(&mut socket).await;
        if !told.starts_with("file_created d/sub/inner") {
            break told;
        }
    };
    assert_eq!(told, "file_deleted d/old.txt file");
}

#[tokio::test]
async fn endings_choose_what_is_told_and_bad_paths_are_refused_before_the_upgrade() {
    let bed = Bed::new();
    let address = bed.listen().await;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{address}/ws/watch?ext=txt,.md")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.put("a.bin", "");
    bed.put("b.md", "");
    assert_eq!(next(&mut socket).await, "file_created b.md file");
    assert!(tokio_tungstenite::connect_async(format!("ws://{address}/ws/watch?path=../x")).await.is_err());
}
