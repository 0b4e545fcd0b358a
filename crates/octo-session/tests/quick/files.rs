//! Trees, files, and what changes them.

use std::os::unix::fs::{PermissionsExt, symlink};

use octo_session::files::Limits;

use crate::bed::Bed;

#[tokio::test]
async fn health_tells_the_root_and_unknown_routes_are_refused_in_the_same_words() {
    let bed = Bed::new();
    let reply = bed.get("/health").await.fine();
    assert_eq!(reply.json()["status"], "ok");
    assert_eq!(reply.json()["root"], bed.root().canonicalize().unwrap().to_str().unwrap());
    bed.get("/nothing").await.refused(404, "NOT_FOUND");
    bed.send("PATCH", "/file?path=a", "").await.refused(405, "METHOD_NOT_ALLOWED");
    // Pages of other origins are told nothing.
    let reply = bed.ask("GET", "/health", &[("origin", "http://evil.example")], "").await;
    assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn a_tree_is_an_array_also_when_it_is_cut() {
    let bed = Bed::with(Limits { max_entries: 3, ..Limits::default() });
    for name in ["d/1", "d/2", "d/3", "e"] {
        bed.put(name, "");
    }
    let reply = bed.get("/tree?path=.").await.fine();
    let tree = reply.json();
    assert_eq!((tree[0]["name"].as_str(), tree[0]["type"].as_str()), (Some("d"), Some("directory")));
    assert_eq!(
        (tree[0]["truncated"].as_bool(), tree[0]["children"].as_array().map(Vec::len)),
        (Some(true), Some(1))
    );
    assert_eq!(reply.header("x-tree-truncated"), "");
    let one = bed.get("/tree?path=d&depth=1").await.fine();
    assert_eq!(one.json().as_array().unwrap().len(), 3);
    bed.put("f", "");
    bed.put("g", "");
    assert_eq!(bed.get("/tree").await.fine().header("x-tree-truncated"), "true");
    bed.get("/tree?path=e").await.refused(400, "NOT_A_DIRECTORY");
    bed.get("/tree?path=none").await.refused(404, "NOT_FOUND");
    bed.get("/tree?mode=odd").await.refused(400, "INVALID_REQUEST");
    bed.get("/tree?depth=x").await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn nothing_outside_the_root_is_read_written_or_removed() {
    let bed = Bed::new();
    let outside = bed.root().parent().unwrap().to_path_buf();
    symlink("../secret", bed.root().join("link")).unwrap();
    symlink(&outside, bed.root().join("up")).unwrap();
    for path in
        ["../secret", "a/../../secret", "%2e%2e/secret", "..%2fsecret", "link", "up/secret", "/../secret"]
    {
        let uri = format!("/file?path={path}");
        bed.get(&uri).await.refused(403, "PATH_TRAVERSAL");
    }
    for (method, uri) in [
        ("GET", "/tree?path=up"),
        ("GET", "/download?path=link"),
        ("GET", "/download?path=up"),
        ("PUT", "/file?path=up/new"),
        ("PUT", "/file?path=up/deep/new&mkdir=true"),
        ("DELETE", "/file?path=up/secret"),
        ("PUT", "/mkdir?path=up/new"),
        ("POST", "/rename?old_path=up/secret&new_path=mine"),
        ("PUT", "/chmod?path=up/secret&mode=777"),
        ("POST", "/extract?path=up/new&archive=x"),
        ("GET", "/tree?directory=up"),
        ("GET", "/tree?directory=/etc"),
        ("POST", "/uploads?path=up/new&size=1"),
    ] {
        let reply = bed.ask(method, uri, &[], "x").await;
        assert!(
            matches!(reply.status.as_u16(), 403 | 404 | 400),
            "{method} {uri}: {} {}",
            reply.status,
            reply.text()
        );
    }
    // A link to a directory is packed as a link.
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "outside");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
    // A link may be removed; what it points to stays.
    bed.send("DELETE", "/file?path=up", "").await.fine();
    assert!(outside.join("secret").exists());
    bed.get("/file?path=a%00b").await.refused(400, "INVALID_PATH");
}

#[tokio::test]
async fn a_file_is_sent_with_ranges_and_conditions() {
    let bed = Bed::new();
    bed.put("f.txt", "0123456789");
    let whole = bed.get("/file?path=f.txt").await.fine();
    assert_eq!((whole.body.as_slice(), whole.header("content-length")), (&b"0123456789"[..], "10"));
    assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
    assert!(whole.header("content-disposition").starts_with("inline; filename=\"f.txt\""));
    assert!(whole.header("content-security-policy").contains("sandbox"));
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    let tag = whole.header("etag").to_owned();
    let date = whole.header("last-modified").to_owned();

    let ask = |headers: Vec<(&'static str, String)>| {
        let bed = &bed;
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            bed.ask("GET", "/file?path=f.txt", &headers, "").await
        }
    };
    let part = ask(vec![("range", "bytes=2-4".into())]).await;
    assert_eq!((part.status.as_u16(), part.body.as_slice()), (206, &b"234"[..]));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 2-4/10", "3"));
    let beyond = ask(vec![("range", "bytes=10-".into())]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */10"));
    assert_eq!(ask(vec![("if-none-match", tag.clone())]).await.status, 304);
    assert_eq!(ask(vec![("if-modified-since", date)]).await.status, 304);
    assert_eq!(ask(vec![("if-none-match", "\"other\"".into())]).await.status, 200);
    ask(vec![("if-match", "\"other\"".into())]).await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(ask(vec![("range", "bytes=2-4".into()), ("if-range", tag)]).await.status, 206);
    let stale = ask(vec![("range", "bytes=2-4".into()), ("if-range", "\"other\"".into())]).await;
    assert_eq!((stale.status.as_u16(), stale.body.len()), (200, 10));
    let head = bed.ask("HEAD", "/file?path=f.txt", &[], "").await.fine();
    assert_eq!((head.body.len(), head.header("content-length")), (0, "10"));
    assert!(
        bed.get("/download?path=f.txt").await.fine().header("content-disposition").starts_with("attachment")
    );
    bed.get("/file?path=.").await.refused(400, "NOT_A_FILE");
    bed.get("/file").await.refused(400, "INVALID_PATH");
}

#[tokio::test]
async fn neither_pipes_nor_devices_hold_a_request_up() {
    let bed = Bed::new();
    let made = std::process::Command::new("mkfifo").arg(bed.root().join("pipe")).status().unwrap();
    assert!(made.success());
    bed.get("/file?path=pipe").await.refused(400, "NOT_A_FILE");
    bed.send("PUT", "/file?path=pipe", "x").await.refused(400, "NOT_A_FILE");
    assert_eq!(bed.get("/tree").await.fine().json()[0]["type"], "other");
    bed.get("/archive").await.fine();
}

#[tokio::test]
async fn text_is_shown_as_a_harmless_table() {
    let bed = Bed::new();
    bed.put("x.html", "<script>alert(1)</script>\nsecond & last");
    let reply = bed.get("/file?path=x.html&highlight=true").await.fine();
    assert!(reply.text().contains("&lt;script&gt;") && !reply.text().contains("<script>"));
    assert_eq!(reply.text().matches("<tr ").count(), 2);
    bed.put("large", &"x".repeat((1 << 20) + 1));
    bed.get("/file?path=large&highlight=true").await.refused(413, "FILE_TOO_LARGE");
}

#[tokio::test]
async fn a_written_file_keeps_its_mode_and_answers_with_its_version() {
    let bed = Bed::new();
    bed.put("S50", "old");
    std::fs::set_permissions(bed.root().join("S50"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let tag = bed.get("/file?path=S50").await.header("etag").to_owned();
    let reply = bed.ask("PUT", "/file?path=S50", &[("if-match", &tag)], "new").await.fine();
    assert_eq!((reply.json()["success"].as_bool(), reply.json()["path"].as_str()), (Some(true), Some("S50")));
    assert_eq!(bed.read("S50"), b"new");
    assert_eq!(std::fs::metadata(bed.root().join("S50")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(bed.get("/file?path=S50").await.header("etag"), reply.header("etag"));
    bed.ask("PUT", "/file?path=S50", &[("if-match", &tag)], "newer")
        .await
        .refused(412, "PRECONDITION_FAILED");
    bed.ask("PUT", "/file?path=S50", &[("if-none-match", "*")], "newer")
        .await
        .refused(412, "PRECONDITION_FAILED");
    bed.send("PUT", "/file?path=a/b/c", "x").await.refused(404, "NOT_FOUND");
    bed.send("PUT", "/file?path=a/b/c&mkdir=true&mode=0750", "x").await.fine();
    assert_eq!(std::fs::metadata(bed.root().join("a/b/c")).unwrap().permissions().mode() & 0o7777, 0o750);
    bed.send("PUT", "/file?path=a&mkdir=true", "x").await.refused(400, "NOT_A_FILE");
    bed.send("PUT", "/file?path=ok&mode=9", "x").await.refused(400, "INVALID_REQUEST");
    assert_eq!(bed.all(), ["S50", "a/b/c"]);
}

#[tokio::test]
async fn an_upload_form_gives_the_name_and_keeps_its_dot() {
    let bed = Bed::new();
    let form = |name: &str, content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--b--\r\n"
        )
    };
    let kind = [("content-type", "multipart/form-data; boundary=b")];
    bed.ask("POST", "/file?path=up/&mkdir=true", &kind, form(".gitignore", "dist/")).await.fine();
    assert_eq!(bed.read("up/.gitignore"), b"dist/");
    bed.ask("POST", "/file?path=up", &kind, form("../../evil", "x")).await.fine();
    bed.ask("POST", "/file?path=up/named", &kind, form("other", "y")).await.fine();
    bed.ask("POST", "/file", &kind, form("top", "z")).await.fine();
    assert_eq!(bed.all(), ["top", "up/.gitignore", "up/evil", "up/named"]);
    bed.ask("POST", "/file", &kind, form("nul", "z")).await.refused(400, "INVALID_PATH");
    bed.ask("POST", "/file", &kind, "--b--\r\n").await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn too_large_a_body_is_refused_and_leaves_nothing() {
    let bed = Bed::with(Limits { max_upload_size: 10, ..Limits::default() });
    bed.send("PUT", "/file?path=f", "0123456789").await.fine();
    bed.ask("PUT", "/file?path=g", &[("content-length", "11")], "0123456789a")
        .await
        .refused(413, "FILE_TOO_LARGE");
    // Without a length it is counted while it comes.
    let pieces = futures_util::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>("01234")));
    bed.ask("PUT", "/file?path=g", &[], axum::body::Body::from_stream(pieces))
        .await
        .refused(413, "FILE_TOO_LARGE");
    assert_eq!(bed.all(), ["f"]);
}

#[tokio::test]
async fn the_tree_is_changed_by_its_routes() {
    let bed = Bed::new();
    bed.send("PUT", "/mkdir?path=a/b", "").await.fine();
    bed.send("PUT", "/mkdir?path=a/b", "").await.fine();
    bed.put("a/b/f", "x");
    bed.send("PUT", "/mkdir?path=a/b/f/c", "").await.refused(400, "NOT_A_DIRECTORY");
    bed.send("POST", "/rename?old_path=a/b/f&new_path=g", "").await.fine();
    bed.send("POST", "/rename?old_path=g&new_path=a", "").await.refused(409, "ALREADY_EXISTS");
    bed.send("POST", "/rename?old_path=g", "").await.refused(400, "INVALID_PATH");
    let reply = bed.send("PUT", "/chmod?path=g&mode=4755", "").await.fine();
    assert_eq!(reply.json()["mode"], "4755");
    bed.send("PUT", "/chmod?path=g&mode=u%2Bx", "").await.refused(400, "INVALID_REQUEST");
    bed.send("DELETE", "/file?path=a", "").await.fine();
    bed.send("DELETE", "/file?path=.", "").await.refused(400, "INVALID_PATH");
    bed.send("DELETE", "/file?path=a", "").await.refused(404, "NOT_FOUND");
    assert_eq!(bed.all(), ["g"]);
}

#[tokio::test]
async fn a_directory_narrows_what_can_be_reached() {
    let bed = Bed::new();
    bed.put("sub/f", "inner");
    bed.put("g", "outer");
    assert_eq!(bed.get("/file?directory=sub&path=f").await.fine().body, b"inner");
    bed.get("/file?directory=sub&path=g").await.refused(404, "NOT_FOUND");
    bed.get("/file?directory=sub&path=../g").await.refused(403, "PATH_TRAVERSAL");
    let absolute = bed.root().canonicalize().unwrap().join("sub");
    assert_eq!(
        bed.get(&format!("/file?directory={}&path=f", absolute.display())).await.fine().body,
        b"inner"
    );
    bed.get("/tree?directory=/etc").await.refused(403, "PATH_TRAVERSAL");
}

#[tokio::test]
async fn writers_that_race_replace_what_they_have_seen() {
    let bed = std::sync::Arc::new(Bed::new());
    bed.put("n", "0");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let bed = std::sync::Arc::clone(&bed);
        all.spawn(async move {
            let mut done = 0;
            while done < 5 {
                let now = bed.get("/file?path=n").await.fine();
                let next = (now.text().parse::<u32>().unwrap() + 1).to_string();
                let reply = bed.ask("PUT", "/file?path=n", &[("if-match", now.header("etag"))], next).await;
                done += u32::from(reply.status.is_success());
            }
        });
    }
    all.join_all().await;
    assert_eq!(bed.read("n"), b"40");
}
