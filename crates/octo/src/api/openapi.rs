//! The description of the API, made from its handlers; at `/api/openapi.json`.

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, ResponseBuilder};

use super::error::Refusal;
use crate::auth::cookie;
use crate::server::App;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "octo",
        description = "Workshops: container sessions with a terminal and files. Every refusal has one shape, `Refusal`, and every \
                       answer the header `X-Request-Id`."
    ),
    components(schemas(Refusal)),
    tags(
        (name = "auth", description = "Logging in and out"),
        (name = "me", description = "The user who asks"),
        (name = "sessions", description = "Container sessions"),
        (name = "admin", description = "For administrators"),
        (name = "codexbar", description = "Usage of language models"),
        (name = "server", description = "The server itself"),
    )
)]
struct Head;

/// The routes of the API with their description.
#[must_use]
pub fn described() -> (Router<App>, OpenApi) {
    let (router, document) = super::routes().split_for_parts();
    (router, completed(document))
}

/// The route that shows the description.
pub fn route(document: OpenApi) -> Router<App> {
    // Written once; nothing in it can fail to be written.
    let text = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    Router::new().route(
        "/api/openapi.json",
        get(move || async move { ([(CONTENT_TYPE, "application/json")], text.clone()) }),
    )
}

/// What all operations have in common is said here, once.
fn completed(document: OpenApi) -> OpenApi {
    let mut whole = Head::openapi();
    whole.merge(document);
    let components = whole.components.get_or_insert_with(Components::new);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build()),
    );
    components.add_security_scheme(
        "cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            cookie::NAME,
            "What could change something must come from a page of this server.",
        ))),
    );
    components.add_security_scheme(
        "ticket",
        SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
            "token",
            "For WebSockets and event streams alone: a ticket of POST /api/auth/ticket, or a token.",
        ))),
    );
    whole.security =
        Some(["bearer", "cookie"].map(|name| SecurityRequirement::new(name, Vec::<String>::new())).to_vec());
    for item in whole.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    whole
}

fn complete(operation: &mut Operation) {
    let public = operation.security.is_some();
    let mut refuse = |status: &str, description: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Refusal"))).build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        operation.responses.responses.entry(status.into()).or_insert_with(|| response.build().into());
    };
    if !public {
        refuse("401", "Nobody is logged in; details.reason says what is wrong with the token");
        refuse("403", "Not allowed; details.reason says why");
    }
    refuse("default", "Any other refusal");
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.options,
        &mut item.head,
        &mut item.patch,
        &mut item.trace,
    ]
    .into_iter()
    .flatten()
}
