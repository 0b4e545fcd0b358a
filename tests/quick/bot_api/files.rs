//! Photos and files: taken, kept, sent again, refused and fetched.

use serde_json::{Value, json};

use super::{FORUM, PERSON, TOKEN, agent, done, jpeg, refused, telegram, upload};

const TO_PERSON: (&str, &str) = ("chat_id", "7");

#[test]
fn a_photo_is_kept_in_its_sizes() {
    let telegram = telegram();
    let photo = jpeg(1920, 1080);
    let fields = [("chat_id", "-1005"), ("message_thread_id", "42"), ("caption", "Started")];
    let (status, answer) = upload(&telegram, "sendPhoto", &fields, &[("photo", "frame.jpg", &photo)]);
    assert_eq!(status, 200, "{answer}");
    let sizes = answer["result"]["photo"].as_array().unwrap();
    let widths: Vec<u64> = sizes.iter().map(|size| size["width"].as_u64().unwrap()).collect();
    assert_eq!(widths, [90, 320, 800, 1280]);
    assert_eq!(sizes[3]["height"], 720);
    assert_eq!(
        (&answer["result"]["caption"], &answer["result"]["message_thread_id"]),
        (&json!("Started"), &json!(42))
    );
    let call = &telegram.done("Started")[0];
    assert_eq!(call.arguments["photo"], "attach://photo");
    let file = call.file("photo").unwrap();
    assert_eq!((&*file.filename, &*file.content_type, &*file.bytes), ("frame.jpg", "image/jpeg", &*photo));
    // The same again, without the bytes.
    let again = done(&telegram, "sendPhoto", &json!({"chat_id": PERSON, "photo": sizes[3]["file_id"]}));
    assert_eq!(again["photo"], answer["result"]["photo"]);
    assert_eq!(&*telegram.bytes(&again), &*photo);
    let path = done(&telegram, "getFile", &json!({"file_id": sizes[0]["file_id"]}))["file_path"].clone();
    let url = format!("{}/file/bot{TOKEN}/{}", telegram.url(), path.as_str().unwrap());
    assert_eq!(agent().get(url).call().unwrap().body_mut().read_to_vec().unwrap(), photo);
}

#[test]
fn photos_that_the_service_cannot_use_are_refused() {
    let telegram = telegram();
    let mut large = jpeg(40, 30);
    large.splice(20..20, vec![0; 10 << 20]);
    let size = large.len();
    let table: [(Vec<u8>, String); 6] = [
        (Vec::new(), "file must be non-empty".to_owned()),
        (b"no picture".to_vec(), "IMAGE_PROCESS_FAILED".to_owned()),
        (jpeg(40, 30)[..20].to_vec(), "IMAGE_PROCESS_FAILED".to_owned()),
        (jpeg(6000, 4001), "PHOTO_INVALID_DIMENSIONS".to_owned()),
        (jpeg(2100, 100), "PHOTO_INVALID_DIMENSIONS".to_owned()),
        (
            large,
            format!("file of size {size} bytes is too big for a photo; the maximum size is 10485760 bytes"),
        ),
    ];
    for (bytes, expected) in table {
        let (status, answer) = upload(&telegram, "sendPhoto", &[TO_PERSON], &[("photo", "a.jpg", &bytes)]);
        assert_eq!((status, &answer["description"]), (400, &json!(format!("Bad Request: {expected}"))));
        // As a document everything goes that is not empty.
        let (status, _) = upload(&telegram, "sendDocument", &[TO_PERSON], &[("document", "a.jpg", &bytes)]);
        assert_eq!(status == 200, !bytes.is_empty(), "{expected}");
    }
    for (width, height) in [(6000, 4000), (2000, 100), (1, 1)] {
        let photo = jpeg(width, height);
        assert_eq!(
            upload(&telegram, "sendPhoto", &[TO_PERSON], &[("photo", "a.jpg", &photo)]).0,
            200,
            "{width}"
        );
    }
    let unknown = json!({"chat_id": PERSON, "photo": "AgACunknown"});
    assert_eq!(
        refused(&telegram, "sendPhoto", &unknown),
        "Bad Request: wrong file identifier/HTTP URL specified"
    );
    let none = json!({"file_id": "x"});
    assert_eq!(
        refused(&telegram, "getFile", &none),
        "Bad Request: wrong file_id or the file is temporarily unavailable"
    );
    let large = vec![0; 51 << 20];
    let (status, answer) = upload(&telegram, "sendDocument", &[TO_PERSON], &[("document", "a", &large)]);
    assert_eq!((status, &answer["description"]), (413, &json!("Request Entity Too Large")));
}

#[test]
fn albums_and_edits_take_files_by_reference() {
    let telegram = telegram();
    let (first, second) = (jpeg(40, 30), jpeg(50, 30));
    let files = [("one", "1.jpg", &*first), ("two", "2.jpg", &*second)];
    let media = r#"[{"type":"photo","media":"attach://one","caption":"both"},{"type":"photo","media":"attach://two"}]"#;
    let (status, answer) = upload(&telegram, "sendMediaGroup", &[TO_PERSON, ("media", media)], &files);
    assert_eq!(status, 200, "{answer}");
    let messages = telegram.messages(PERSON);
    assert_eq!((messages.len(), &messages[0]["caption"]), (2, &json!("both")));
    assert_eq!(messages[0]["media_group_id"], messages[1]["media_group_id"]);
    assert_eq!((&*telegram.bytes(&messages[0]), &*telegram.bytes(&messages[1])), (&*first, &*second));
    assert_eq!(telegram.done("both").len(), 1);
    let id = messages[0]["message_id"].to_string();
    let media = r#"{"type":"photo","media":"attach://new","caption":"later"}"#;
    let fields = [TO_PERSON, ("message_id", &*id), ("media", media)];
    let (status, answer) = upload(&telegram, "editMessageMedia", &fields, &[("new", "3.jpg", &second)]);
    assert_eq!(status, 200, "{answer}");
    let edited: Value = telegram.messages(PERSON)[0].clone();
    assert_eq!((&edited["caption"], &*telegram.bytes(&edited)), (&json!("later"), &*second));
    let text = json!({"chat_id": PERSON, "message_id": edited["message_id"], "text": "x"});
    assert_eq!(
        refused(&telegram, "editMessageText", &text),
        "Bad Request: there is no text in the message to edit"
    );
    // One that is refused takes all with it.
    let bad = [("one", "1.jpg", &*first), ("two", "2.jpg", &b"no picture"[..])];
    let media = r#"[{"type":"photo","media":"attach://one"},{"type":"photo","media":"attach://two"}]"#;
    assert_eq!(upload(&telegram, "sendMediaGroup", &[TO_PERSON, ("media", media)], &bad).0, 400);
    assert_eq!(telegram.messages(PERSON).len(), 2);
}

#[test]
fn a_file_that_a_user_sends_can_be_fetched() {
    let telegram = telegram();
    telegram.send_file(FORUM, 11, "cube.gcode", b"G28\n");
    let updates = done(&telegram, "getUpdates", &json!({}));
    let document = &updates[0]["message"]["document"];
    assert_eq!((&document["file_name"], &document["file_size"]), (&json!("cube.gcode"), &json!(4)));
    let path = done(&telegram, "getFile", &json!({"file_id": document["file_id"]}))["file_path"].clone();
    let url = |path: &str| format!("{}/file/bot{TOKEN}/{path}", telegram.url());
    let got = agent().get(url(path.as_str().unwrap())).call().unwrap().body_mut().read_to_vec().unwrap();
    assert_eq!(got, b"G28\n");
    assert_eq!(agent().get(url("documents/none")).call().unwrap().status(), 404);
    telegram.send_large_file(FORUM, 11, "huge.gcode", b"G28\n", (20 << 20) + 1);
    let updates = done(&telegram, "getUpdates", &json!({"offset": -1}));
    let id = updates[0]["message"]["document"]["file_id"].clone();
    assert_eq!(refused(&telegram, "getFile", &json!({"file_id": id})), "Bad Request: file is too big");
    // A local server has no such limit, and gives a path on its own disk.
    let folder = tempfile::tempdir().unwrap();
    telegram.serve_locally(folder.path());
    let path = done(&telegram, "getFile", &json!({"file_id": id}))["file_path"].clone();
    assert_eq!(std::fs::read(path.as_str().unwrap()).unwrap(), b"G28\n");
}
