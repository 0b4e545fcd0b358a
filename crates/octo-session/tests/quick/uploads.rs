//! Uploads in several requests.

use octo_session::files::Limits;

use crate::bed::Bed;

#[tokio::test]
async fn parts_become_a_file_at_the_last_one() {
    let bed = Bed::with(Limits { max_upload_size: 4, ..Limits::default() });
    let begun = bed.send("POST", "/uploads?path=deep/f&size=9&mkdir=true&mode=755", "").await.fine();
    assert_eq!(begun.status, 201);
    let at = format!("/{}", begun.header("location"));
    assert_eq!(begun.header("upload-offset"), "0");

    let first = bed.ask("PATCH", &at, &[("upload-offset", "0")], "0123").await.fine();
    assert_eq!((first.header("upload-offset"), first.json()["complete"].as_bool()), ("4", Some(false)));
    assert!(bed.all().is_empty());
    let wrong = bed.ask("PATCH", &at, &[("upload-offset", "0")], "0123").await;
    wrong.refused(409, "OFFSET_MISMATCH");
    assert_eq!(wrong.json()["offset"], 4);
    assert_eq!(bed.get(&at).await.fine().header("upload-offset"), "4");
    bed.ask("PATCH", &at, &[("upload-offset", "4")], "01234").await.refused(413, "FILE_TOO_LARGE");
    bed.ask("PATCH", &at, &[], "01").await.refused(400, "INVALID_REQUEST");
    bed.ask("PATCH", &at, &[("upload-offset", "4")], "4567").await.fine();
    bed.ask("PATCH", &at, &[("upload-offset", "8")], "89").await.refused(413, "FILE_TOO_LARGE");
    let last = bed.ask("PATCH", &at, &[("upload-offset", "8")], "8").await.fine();
    assert_eq!(last.json()["complete"], true);
    assert_eq!(bed.read("deep/f"), b"012345678");
    assert_eq!(bed.get("/file?path=deep/f").await.header("etag"), last.header("etag"));
    bed.get(&at).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let bed = Bed::with(Limits { max_resumable_size: 100, ..Limits::default() });
    bed.send("POST", "/uploads?path=f&size=101", "").await.refused(413, "FILE_TOO_LARGE");
    bed.send("POST", "/uploads?path=f", "").await.refused(400, "INVALID_REQUEST");
    let begun = bed.send("POST", "/uploads?path=f&size=10", "").await.fine();
    let at = format!("/{}", begun.header("location"));
    bed.ask("PATCH", &at, &[("upload-offset", "0")], "01234").await.fine();
    assert_eq!(bed.send("DELETE", &at, "").await.status, 204);
    bed.ask("PATCH", &at, &[("upload-offset", "5")], "56789").await.refused(404, "NOT_FOUND");
    assert!(bed.all().is_empty());
    bed.send("DELETE", "/uploads/none", "").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn conditions_hold_at_the_end() {
    let bed = Bed::new();
    let begun = bed.ask("POST", "/uploads?path=f&size=1", &[("if-none-match", "*")], "").await.fine();
    bed.put("f", "came first");
    let at = format!("/{}", begun.header("location"));
    bed.ask("PATCH", &at, &[("upload-offset", "0")], "x").await.refused(412, "PRECONDITION_FAILED");
    assert_eq!(bed.read("f"), b"came first");
}
