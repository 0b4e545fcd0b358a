//! Images that go while sessions have them.

use serde_json::{Value, json};

use super::bed::{Bed, get, own_image, remove, take_name, wait};

fn text<'v>(session: &'v Value, name: &str) -> &'v str {
    session[name].as_str().unwrap()
}

#[test]
fn an_image_that_is_removed_is_missed_and_takes_nothing_with_it() {
    let mut bed = Bed::new();
    let image = own_image(&bed, "1");
    bed.configure("", &image);
    bed.serve();
    let (up, down) = (bed.running("alice"), bed.running("alice"));
    let of = |session: &Value, path: &str| format!("/api/sessions/{}{path}", text(session, "id"));
    assert_eq!(bed.exec(text(&up, "id"), &["touch", "/home/dev/workspace/kept"])["exit_code"], 0);
    bed.must("alice", "POST", &of(&down, "/stop"), None, 204);
    take_name(&image);

    // Nothing new comes of it, and what to do is told.
    let refused = bed.must("alice", "POST", "/api/sessions", Some(json!({})), 404);
    let remedy = |refused: &Value| {
        let said = text(refused, "error");
        assert!(said.contains(&format!("`octoctl image build --tag {image}`")), "{refused}");
        assert_eq!(refused["details"]["reason"], "image_not_found", "{refused}");
    };
    remedy(&refused);
    remedy(&bed.must("alice", "POST", &of(&up, "/upgrade"), None, 404));
    let now = bed.show(text(&up, "id"));
    assert_eq!((&now["status"], &now["container_id"]), (&json!("running"), &up["container_id"]));
    assert_eq!(bed.must("alice", "GET", &of(&up, "/update"), None, 200)["update_available"], false);
    assert_eq!(bed.must("alice", "GET", "/api/sessions/updates", None, 200), json!([]));
    // Who asks for a session gets the one that runs, and a stopped one has its container still.
    let got = bed.must("alice", "POST", "/api/sessions/get-or-create", None, 200);
    assert_eq!(got["id"], up["id"]);
    let resumed = bed.must("alice", "POST", &of(&down, "/resume?wait=60"), None, 200);
    assert_eq!(
        (&resumed["status"], &resumed["container_id"]),
        (&json!("running"), &down["container_id"]),
        "{resumed}"
    );

    // Now all that was made of it goes too.
    remove(text(&up, "container_id"));
    remove(text(&down, "container_id"));
    get(&["rmi", "-f", text(&up, "image_digest")]);
    // A look does not wait for a runtime that takes long.
    let lost =
        wait("failed", || Some(bed.show(text(&up, "id"))).filter(|session| session["status"] != "running"));
    assert_eq!((&lost["status"], &lost["error_message"]), (&json!("failed"), &json!("container not found")));
    remedy(&bed.must("alice", "POST", &of(&up, "/resume"), None, 404));
    assert_eq!(bed.show(text(&up, "id"))["status"], "failed");

    // Once it is back, so are they.
    own_image(&bed, "2");
    let back = bed.must("alice", "POST", &of(&up, "/resume?wait=60"), None, 200);
    assert_eq!(back["status"], "running", "{back}");
    assert_eq!(bed.exec(text(&up, "id"), &["cat", "/version"])["stdout"], "2");
    assert_eq!(bed.exec(text(&up, "id"), &["ls", "/home/dev/workspace/kept"])["exit_code"], 0);
}
