//! From a request to its answer: paths, methods, and what each of them shows.

use super::answer::{Answer, fresh, json, json_text, refusal};
use super::view::{BridgeRow, Service, Status, View};
use super::{image, metrics};
use crate::calendar;
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONNECTION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Version};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::timeout;

/// The description of all this, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// Every path there is, as the description writes it.
pub const PATHS: [&str; 8] = [
    "/api/",
    "/api/printer/{id}",
    "/api/printer/{id}/image",
    "/api/bridges",
    "/api/health/live",
    "/api/health/ready",
    "/metrics",
    "/api/openapi.json",
];

/// A camera that gives no picture within this time has none.
const CAMERA_PATIENCE: Duration = Duration::from_secs(15);

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Root,
    Status,
    Picture,
    StrangePrinter,
    Bridges,
    Live,
    Ready,
    Metrics,
    OpenApi,
}

/// Answers one request.
pub(super) async fn answer(view: &dyn View, request: &Request<Incoming>) -> Answer {
    let mut answer = answer_head(view, request).await;
    // No body is read: what of it is under way would be taken for the next request.
    if !request.body().is_end_stream() {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

async fn answer_head(view: &dyn View, request: &Request<Incoming>) -> Answer {
    let mut hosts = request.headers().get_all(HOST).iter();
    let understood = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => host.to_str().is_ok_and(is_host),
        (Some(_), Some(_)) => false,
    };
    if !understood {
        return refusal(StatusCode::BAD_REQUEST, "A request has one header `Host`: a name or an address.");
    }
    let Some(route) = find(request.uri().path(), view.printer_id()) else {
        return refusal(StatusCode::NOT_FOUND, "There is nothing here. /api/openapi.json lists the paths.");
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    if !request.body().is_end_stream() {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "No body is taken.");
    }
    match route {
        Route::Root => fresh(StatusCode::OK, Some("text/plain; charset=utf-8"), "OK"),
        Route::Status => match view.status() {
            Some(status) => json_text(StatusCode::OK, status_text(view.printer_id(), &status)),
            None => refusal(StatusCode::NOT_FOUND, "No status received yet."),
        },
        Route::Picture => match timeout(CAMERA_PATIENCE, view.picture()).await {
            Ok(Ok(picture)) => image::answer(picture, request.headers()),
            Ok(Err(why)) => refusal(StatusCode::NOT_FOUND, &why),
            Err(_) => refusal(StatusCode::NOT_FOUND, "The camera gave no picture within 15 s."),
        },
        Route::StrangePrinter => refusal(StatusCode::NOT_FOUND, "There is no printer of this id here."),
        Route::Bridges => json(StatusCode::OK, &Overview::of(view)),
        Route::Live => json_text(StatusCode::OK, r#"{"live":true}"#),
        Route::Ready => match view.not_ready() {
            reasons if reasons.is_empty() => json_text(StatusCode::OK, r#"{"ready":true}"#),
            reasons => refusal(StatusCode::SERVICE_UNAVAILABLE, &reasons),
        },
        Route::Metrics => fresh(StatusCode::OK, Some(metrics::KIND), metrics::text(view)),
        Route::OpenApi => json_text(StatusCode::OK, OPENAPI),
    }
}

/// Whether this is what `Host` holds: a name or an address, and a port or none (RFC 9112, 3.2). It may be empty.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(literal) => literal.split_once(']').unwrap_or(("@", "")),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let named = |byte: u8| byte.is_ascii_graphic() && !b"/?#@[]\\<>\"^`{|}".contains(&byte);
    name.bytes().all(named)
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (port.is_empty() || port.starts_with(':'))
}

/// The route of a path, which may end in a slash; each of its segments may be percent-encoded.
fn find(path: &str, printer_id: &str) -> Option<Route> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = [const { Cow::Borrowed("") }; 4];
    let mut count = 0;
    for segment in path.split('/') {
        *segments.get_mut(count)? = percent_decode_str(segment).decode_utf8().ok()?;
        count += 1;
    }
    let [first, second, third, fourth] = segments.each_ref().map(|segment| &**segment);
    let route = match (count, first, second, third, fourth) {
        (1, "metrics", ..) => Route::Metrics,
        (1, "api", ..) => Route::Root,
        (2, "api", "bridges", ..) => Route::Bridges,
        (2, "api", "openapi.json", ..) => Route::OpenApi,
        (3, "api", "health", "live", _) => Route::Live,
        (3, "api", "health", "ready", _) => Route::Ready,
        (3, "api", "printer", id, _) if id == printer_id => Route::Status,
        (4, "api", "printer", id, "image") if id == printer_id => Route::Picture,
        (3, "api", "printer", ..) | (4, "api", "printer", _, "image") => Route::StrangePrinter,
        _ => return None,
    };
    Some(route)
}

/// The status with its frame. The status itself is not touched: number forms and order stay as they came.
fn status_text(printer_id: &str, status: &Status) -> String {
    let id = serde_json::to_string(printer_id).unwrap_or_default();
    let received = calendar::rfc3339(status.received);
    format!(r#"{{"printer_id":{id},"received_at":"{received}","status":{}}}"#, status.text)
}

/// What `/api/bridges` tells.
#[derive(Serialize)]
struct Overview<'a> {
    printer_id: &'a str,
    service: Service,
    bridges: Vec<BridgeRow>,
}

impl<'a> Overview<'a> {
    fn of(view: &'a dyn View) -> Self {
        Self { printer_id: view.printer_id(), service: view.service(), bridges: view.bridges() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_lead_where_they_should() {
        let table = [
            ("/api/", Some(Route::Root)),
            ("/api", Some(Route::Root)),
            ("/%61pi/", Some(Route::Root)),
            ("/api//", None),
            ("//api/", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("/API/", None),
            ("/api/printer/A1M-1", Some(Route::Status)),
            ("/api/printer/A1M-1/", Some(Route::Status)),
            ("/api/printer/A1M%2D1", Some(Route::Status)),
            ("/api/printer/A1M%2d1", Some(Route::Status)),
            ("/api/printer/a1m-1", Some(Route::StrangePrinter)),
            ("/api/printer/A1M-1%20", Some(Route::StrangePrinter)),
            ("/api/printer/A1M%252D1", Some(Route::StrangePrinter)),
            ("/api/printer/A1M%2", Some(Route::StrangePrinter)),
            ("/api/printer/%ff", None),
            ("/api/printer/", None),
            ("/api/printer//", Some(Route::StrangePrinter)),
            ("/api/printer", None),
            ("/api/printer/A1M-1/image", Some(Route::Picture)),
            ("/api/printer/A1M-1/image/", Some(Route::Picture)),
            ("/api/printer/A1M-1%2Fimage", Some(Route::StrangePrinter)),
            ("/api/printer/other/image", Some(Route::StrangePrinter)),
            ("/api/printer/A1M-1/picture", None),
            ("/api/printer/A1M-1/image/more", None),
            ("/api/printer/../printer/A1M-1", None),
            ("/api/bridges", Some(Route::Bridges)),
            ("/api/health", None),
            ("/api/health/live", Some(Route::Live)),
            ("/api/health/ready", Some(Route::Ready)),
            ("/metrics", Some(Route::Metrics)),
            ("/metrics/", Some(Route::Metrics)),
            ("/api/metrics", None),
            ("/api/openapi.json", Some(Route::OpenApi)),
        ];
        for (path, expected) in table {
            assert_eq!(find(path, "A1M-1"), expected, "{path}");
        }
        assert_eq!(find("/api/printer/a%2Fb%20%C3%BC/image", "a/b ü"), Some(Route::Picture));
    }

    proptest! {
        #[test]
        fn every_id_is_found_by_its_encoded_form_and_no_path_panics(id in ".{1,20}", path in ".*") {
            let encoded = percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
            prop_assert_eq!(find(&format!("/api/printer/{encoded}"), &id), Some(Route::Status));
            let _ = find(&path, &id);
        }
    }

    proptest! {
        #[test]
        fn every_address_is_a_host_and_no_text_panics(address in any::<std::net::SocketAddr>(), text in ".*") {
            prop_assert!(is_host(&address.to_string()));
            prop_assert!(!(is_host(&text) && text.contains(['/', '@', ' '])));
        }
    }

    #[test]
    fn the_status_is_passed_on_as_it_came() {
        let text = r#"{"b": 1.50, "a":[1e3,"é"],"b":null}"#;
        let status = Status { received: Duration::from_secs(1), text: text.into() };
        assert_eq!(
            status_text("a\"b", &status),
            format!(r#"{{"printer_id":"a\"b","received_at":"1970-01-01T00:00:01.000Z","status":{text}}}"#)
        );
    }
}
