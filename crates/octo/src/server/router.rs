//! All routes behind all layers.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use std::sync::Arc;

use super::App;
use super::layers::{audit, body, cors, ending, peer, request_id};
use crate::api;
use crate::api::error::{ApiError, Code};
use crate::auth::layer::identify;
use crate::proxy;

/// The whole server as a service; serve it with [`super::listen::serve`], which says who is connected.
pub fn router(app: App) -> Router {
    let (api, document) = api::openapi::described();
    let api = api.merge(api::openapi::route(document)).layer(axum::middleware::map_response(private));
    let mut routes = Router::new().merge(api).merge(crate::page::routes());
    if let Some(lifecycle) = &app.lifecycle {
        let (targets, limits) = (Arc::new(lifecycle.clone()), proxy::Limits::from(app.config.as_ref()));
        let proxies = proxy::Proxies::new(targets, limits, app.ending.clone(), app.tasks.clone());
        routes = routes.merge(proxy::routes(proxies));
    }
    // Each layer takes it anew for every request: one count for all its parts.
    let shared = Arc::new(app.clone());
    routes
        .fallback(missing)
        .method_not_allowed_fallback(wrong_method)
        // The first below is the innermost.
        .layer(from_fn_with_state(Arc::clone(&shared), audit::record))
        .layer(from_fn_with_state(Arc::clone(&shared), identify))
        .layer(from_fn_with_state(Arc::clone(&shared), body::watch))
        // The layer above has the limit of the settings; extractors have smaller ones of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&shared), cors::permit))
        .layer(from_fn_with_state(Arc::clone(&shared), ending::refuse))
        .layer(from_fn(request_id::name))
        .layer(from_fn_with_state(shared, peer::find))
        .with_state(app)
}

async fn missing(request: Request) -> ApiError {
    ApiError::new(Code::NotFound, format!("there is nothing at {}", request.uri().path()))
}

async fn wrong_method(request: Request) -> Response {
    let said = format!("{} is not possible at {}", request.method(), request.uri().path());
    ApiError::new(Code::MethodNotAllowed, said).into_response()
}

/// Answers of the API are for one person, and are no pages.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
