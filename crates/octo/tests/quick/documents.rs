//! The API's description of itself.

use crate::support::Bed;
use octo::auth::Role;
use serde_json::Value;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if ["get", "put", "post", "delete", "patch"].contains(&method.as_str()) {
                all.push((method.clone(), path.clone(), operation.clone()));
            }
        }
    }
    all
}

/// The routes of the contract that belong to this part of the program.
#[test]
fn it_names_every_route() {
    let bed = Bed::new();
    let document = bed.get("/api/openapi.json", &[]).json();
    let found: Vec<String> =
        operations(&document).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    for route in [
        "get /health",
        "get /ready",
        "get /api/health",
        "get /api/features",
        "post /api/auth/login",
        "post /api/auth/register",
        "post /api/auth/logout",
        "post /api/auth/password",
        "post /api/auth/ticket",
        "get /api/me",
        "put /api/me",
        "get /api/admin/users",
        "post /api/admin/users",
        "get /api/admin/users/stats",
        "get /api/admin/users/{id}",
        "put /api/admin/users/{id}",
        "delete /api/admin/users/{id}",
        "post /api/admin/users/{id}/activate",
        "post /api/admin/users/{id}/deactivate",
        "get /api/admin/invite-codes",
        "post /api/admin/invite-codes",
        "post /api/admin/invite-codes/batch",
        "get /api/admin/invite-codes/stats",
        "get /api/admin/invite-codes/{id}",
        "delete /api/admin/invite-codes/{id}",
        "post /api/admin/invite-codes/{id}/revoke",
        "get /api/admin/audit",
        "get /api/admin/metrics",
        "get /metrics",
        "get /api/codexbar/usage",
    ] {
        assert!(found.iter().any(|found| found == route), "{route} is not in {found:?}");
    }
}

#[test]
fn every_operation_has_words_a_refusal_and_its_security() {
    let bed = Bed::new();
    let document = bed.get("/api/openapi.json", &[]).json();
    for scheme in ["bearer", "cookie", "ticket"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
    assert_eq!(document["security"].as_array().unwrap().len(), 2);
    for key in ["error", "code", "details", "request_id"] {
        assert!(document["components"]["schemas"]["Refusal"]["properties"][key].is_object(), "{key}");
    }
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(!operation["summary"].as_str().unwrap_or("").is_empty(), "{at}");
        assert!(operation["tags"][0].is_string(), "{at}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let shape = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(shape, "#/components/schemas/Refusal", "{at} {status}");
        }
        assert!(responses.contains_key("default"), "{at}");
    }
    // Whatever it points to is there.
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

/// What it says of security is true: without a log-in, only what it calls public answers.
#[test]
fn what_it_calls_public_is_and_nothing_else() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let document = bed.get("/api/openapi.json", &[]).json();
    for (method, path, operation) in operations(&document) {
        let public = operation["security"].as_array().is_some();
        let path = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
        let answer = bed.send(&method.to_uppercase(), &path, &[], None);
        assert_ne!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.status == 401, !public, "{method} {path}: {answer:?}");
    }
}
