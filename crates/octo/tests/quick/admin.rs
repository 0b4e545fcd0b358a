//! Users and invite codes, for administrators; and what users may do with themselves.

use crate::support::{Answer, Bed, PASSWORD};
use octo::auth::Role;
use serde_json::{Value, json};

struct Desk {
    bed: Bed,
    admin: String,
}

impl Desk {
    fn new() -> Self {
        let bed = Bed::new();
        let admin = bed.bearer("root", Role::Admin);
        Self { bed, admin }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers = [("authorization", self.admin.as_str())];
        match body {
            Some(body) => self.bed.with_json(method, path, &headers, &body),
            None => self.bed.send(method, path, &headers, None),
        }
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }
}

/// Protects what is an administrator's: every such route, also those of other parts of the program, by the API's own
/// description of itself.
#[test]
fn every_route_of_administrators_refuses_others() {
    let bed = Bed::new();
    let user = bed.bearer("anna", Role::User);
    let service = bed.bearer("robot", Role::Service);
    let document = bed.get("/api/openapi.json", &[]).json();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/admin/") && path != "/metrics" {
            continue;
        }
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "put", "post", "delete"].contains(&key.as_str()))
        {
            let path = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
            let ask = |headers: &[(&str, &str)]| bed.send(&method.to_uppercase(), &path, headers, None);
            assert_eq!(ask(&[]).status, 401, "{method} {path}");
            for bearer in [&user, &service] {
                let answer = ask(&[("authorization", bearer)]);
                assert_eq!(
                    (answer.status, answer.reason().as_str()),
                    (403, "insufficient_permissions"),
                    "{method} {path}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen >= 17, "{seen}");
}

#[test]
fn users_are_made_found_changed_and_removed() {
    let desk = Desk::new();
    let made = desk.ask(
        "POST",
        "/api/admin/users",
        Some(json!({"username": "anna", "email": "anna@example.org", "password": PASSWORD, "display_name": "Anna A."})),
    );
    assert_eq!(made.status, 201, "{made:?}");
    let anna = made.json();
    let id = anna["id"].as_str().unwrap();
    assert!(id.starts_with("usr_") && id.len() == 16, "{id}");
    assert_eq!((anna["role"].as_str(), anna["is_active"].as_bool()), (Some("user"), Some(true)));
    assert!(anna.get("password_hash").is_none() && !made.text.contains("argon2"));
    assert_eq!(desk.bed.log_in("anna", PASSWORD).status, 200);
    let path = format!("/api/admin/users/{id}");
    assert_eq!(desk.get(&path)["display_name"], "Anna A.");
    assert!(desk.get(&path)["last_login_at"].is_string());

    let names = |query: &str| -> Vec<String> {
        let found = desk.get(&format!("/api/admin/users{query}"));
        found.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["anna", "root"]);
    assert_eq!(names("?role=admin"), ["root"]);
    assert_eq!(names("?search=a%20A."), ["anna"]);
    assert_eq!(names("?search=%25"), Vec::<String>::new());
    assert_eq!(names("?is_active=false"), Vec::<String>::new());
    assert_eq!(names("?limit=1&offset=1"), ["root"]);
    assert_eq!(
        desk.get("/api/admin/users/stats"),
        json!({"total": 2, "admins": 1, "users": 1, "services": 0})
    );

    let changed = desk.ask(
        "PUT",
        &path,
        Some(json!({"username": "anne", "avatar_url": "https://a.org/x.png", "settings": {"a": 1}})),
    );
    assert_eq!(changed.json()["username"], "anne");
    assert_eq!(changed.json()["email"], "anna@example.org", "what is left out stays");
    let changed = desk.ask("PUT", &path, Some(json!({"avatar_url": null})));
    assert_eq!(
        (changed.json()["avatar_url"].clone(), changed.json()["settings"].clone()),
        (Value::Null, json!({"a": 1}))
    );
    for (body, status) in [
        (json!({"username": "ROOT"}), 409),
        (json!({"email": "root@example.org"}), 409),
        (json!({"username": "x"}), 400),
        (json!({"avatar_url": "javascript:alert(1)"}), 400),
        (json!({"settings": [1]}), 400),
        (json!({"role": "king"}), 422),
    ] {
        assert_eq!(desk.ask("PUT", &path, Some(body.clone())).status, status, "{body}");
    }
    assert_eq!(desk.ask("DELETE", &path, None).status, 204);
    assert_eq!(desk.ask("DELETE", &path, None).status, 404);
    assert_eq!(desk.ask("POST", &format!("{path}/activate"), None).status, 404);
}

/// Protects against a server that nobody can administer.
#[test]
fn the_last_active_administrator_stays() {
    let desk = Desk::new();
    let root = desk.get("/api/me")["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/users/{root}");
    let second = desk.bed.user("second", Role::Admin);
    assert_eq!(desk.ask("POST", &format!("/api/admin/users/{}/deactivate", second.id), None).status, 200);
    for (method, path, body) in [
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/deactivate"), None),
        ("PUT", path.clone(), Some(json!({"role": "user"}))),
        ("PUT", path.clone(), Some(json!({"is_active": false}))),
    ] {
        let answer = desk.ask(method, &path, body);
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (409, "last_admin"),
            "{method} {path}: {answer:?}"
        );
    }
    assert_eq!(desk.ask("POST", &format!("/api/admin/users/{}/activate", second.id), None).status, 200);
    assert_eq!(desk.ask("PUT", &path, Some(json!({"role": "user"}))).status, 200);
}

/// A user with sessions cannot be removed: somebody has to remove the containers first.
#[test]
fn a_user_with_sessions_stays() {
    let desk = Desk::new();
    let anna = desk.bed.user("anna", Role::User);
    let id = anna.id.clone();
    let done: Result<(), octo::store::StoreError> = desk.bed.runtime.block_on(desk.bed.app.store.write(move |transaction| {
        transaction.execute(
            "INSERT INTO sessions (id, readable_id, user_id, status, container_name, workspace_path, image, opencode_port, \
             fileserver_port, ttyd_port, created_at) VALUES ('1', 'a-b', ?1, 'stopped', '', '', '', 1, 2, 3, '')",
            [id],
        )?;
        Ok(())
    }));
    done.unwrap();
    let answer = desk.ask("DELETE", &format!("/api/admin/users/{}", anna.id), None);
    assert_eq!((answer.status, answer.reason().as_str()), (409, "has_sessions"), "{answer:?}");
}

#[test]
fn invite_codes_are_made_found_revoked_and_removed() {
    let desk = Desk::new();
    let root = desk.get("/api/me")["id"].clone();
    let made = desk.ask(
        "POST",
        "/api/admin/invite-codes",
        Some(json!({"max_uses": 3, "expires_in_secs": 3600, "note": "a course"})),
    );
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    for (key, value) in [
        ("created_by", root.clone()),
        ("uses_remaining", json!(3)),
        ("max_uses", json!(3)),
        ("is_valid", json!(true)),
        ("note", json!("a course")),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    assert!(made["code"].as_str().unwrap().len() == 8 && made["expires_at"].is_string());
    let own = desk.ask("POST", "/api/admin/invite-codes", Some(json!({"code": "MAKERS-2026"})));
    assert_eq!((own.status, own.json()["code"].as_str()), (201, Some("MAKERS-2026")));
    assert_eq!(desk.ask("POST", "/api/admin/invite-codes", Some(json!({"code": "MAKERS-2026"}))).status, 409);
    let batch = desk.ask(
        "POST",
        "/api/admin/invite-codes/batch",
        Some(json!({"count": 3, "uses_per_code": 2, "prefix": "LAB"})),
    );
    assert_eq!((batch.status, batch.json().as_array().unwrap().len()), (201, 3));
    assert!(batch.json()[0]["code"].as_str().unwrap().starts_with("LAB-"));
    for body in [
        json!({"max_uses": 0}),
        json!({"code": "x y z"}),
        json!({"expires_in_secs": 0}),
        json!({"expires_in_secs": u64::MAX}),
    ] {
        assert_eq!(desk.ask("POST", "/api/admin/invite-codes", Some(body.clone())).status, 400, "{body}");
    }
    assert_eq!(desk.ask("POST", "/api/admin/invite-codes/batch", Some(json!({"count": 1001}))).status, 400);

    let path = format!("/api/admin/invite-codes/{}", made["id"].as_str().unwrap());
    assert_eq!(desk.ask("POST", &format!("{path}/revoke"), None).status, 204);
    assert_eq!(
        (desk.get(&path)["is_valid"].clone(), desk.get(&path)["uses_remaining"].clone()),
        (json!(false), json!(0))
    );
    let count = |query: &str| desk.get(&format!("/api/admin/invite-codes{query}")).as_array().unwrap().len();
    let by_root = format!("?created_by={}", root.as_str().unwrap());
    assert_eq!(
        [
            count(""),
            count("?valid=true"),
            count("?valid=false"),
            count("?limit=2"),
            count("?offset=4"),
            count(&by_root),
            count("?created_by=x")
        ],
        [5, 4, 1, 2, 1, 5, 0]
    );
    assert_eq!(desk.get("/api/admin/invite-codes/stats"), json!({"total": 5, "valid": 4}));
    assert_eq!(desk.ask("DELETE", &path, None).status, 204);
    for (method, path) in
        [("DELETE", path.clone()), ("GET", path.clone()), ("POST", format!("{path}/revoke"))]
    {
        assert_eq!(desk.ask(method, &path, None).status, 404, "{method} {path}");
    }
}

#[test]
fn users_change_how_they_are_shown_and_nothing_else() {
    let bed = Bed::new();
    let anna = bed.bearer("anna", Role::User);
    let put = |body: Value| bed.with_json("PUT", "/api/me", &[("authorization", &anna)], &body);
    let answer = put(
        json!({"display_name": "Anna", "settings": {"theme": "dark"}, "role": "admin", "is_active": false, "username": "root"}),
    );
    let me = answer.json();
    assert_eq!((me["display_name"].as_str(), me["settings"]["theme"].as_str()), (Some("Anna"), Some("dark")));
    assert_eq!(
        (me["role"].as_str(), me["is_active"].as_bool(), me["username"].as_str()),
        (Some("user"), Some(true), Some("anna"))
    );
    assert_eq!(put(json!({"display_name": "\u{7}"})).status, 400);
    assert_eq!(put(json!({"settings": "dark"})).status, 400);
}

/// One model for the page's events and for Prometheus.
#[test]
fn figures_are_told_to_prometheus() {
    let desk = Desk::new();
    desk.bed.user("anna", Role::User);
    let answer = desk.ask("GET", "/metrics", None);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    let lines: Vec<&str> = answer.text.lines().collect();
    let value = |name: &str| -> f64 {
        let found = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{name}: {answer:?}")).parse().unwrap()
    };
    assert_eq!((value("octo_users"), value("octo_users_active")), (2.0, 2.0));
    assert_eq!(
        (value("octo_sessions{state=\"running\"}"), value("octo_sessions{state=\"failed\"}")),
        (0.0, 0.0)
    );
    assert!(value("process_resident_memory_bytes") > 1e6 && value("octo_host_memory_total_bytes") > 1e6);
    assert!(value("octo_host_cpu_busy_seconds_total") > 0.0);
    assert_eq!(value("octo_metrics_incomplete"), 0.0);
    // Every family is named once, with its kind, before its values.
    let named: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut once = named.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), named.len(), "{named:?}");
    for line in lines.iter().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(named.iter().any(|family| family.split(' ').next() == Some(name)), "{line}");
    }
}
