//! Relays one request and its answer.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, Uri};
use std::sync::Arc;

use super::exchange::{Failure, Line};
use super::pool::Key;
use super::reach::Reach;
use super::request::{self, Origin};
use super::response::{self, Place};
use super::service::{Ask, Shared};
use super::target::{Target, Use};
use super::upload::{Meter, Source, Upload};
use super::{credentials, framing};
use crate::api::error::{ApiError, Code};

/// Sends the request on and the answer back.
pub(super) async fn relay(shared: &Arc<Shared>, ask: Ask, body: Body) -> Result<Response, ApiError> {
    let length = framing::check(&ask.parts.headers, shared.limits.body)?;
    let mut reach = Reach::new(shared, &ask, shared.limits.startup).await?;
    shared.targets.used(reach.target.session, Use::Active);
    let mut source = Source::of(body, length, reach.target.state, shared.limits.body).await?;
    loop {
        match attempt(shared, &ask, &reach, &mut source).await {
            Ok(response) => return Ok(response),
            Err(failure) => reach.after(failure, source.is_replayable()).await?,
        }
    }
}

async fn attempt(
    shared: &Arc<Shared>,
    ask: &Ask,
    reach: &Reach<'_>,
    source: &mut Source,
) -> Result<Response, Failure> {
    let key = Key::here(reach.target.session, reach.target.address);
    let twice = source.is_replayable()
        && matches!(
            ask.parts.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
    let mut kept = if twice { shared.pool.take(&key) } else { None };
    loop {
        let is_kept = kept.is_some();
        let line = match kept.take() {
            Some(line) => line,
            None => {
                let stream = reach.connect().await?;
                reach.settled(&stream, source.is_replayable()).await?;
                Line::new(stream).await?
            }
        };
        match over(shared, ask, (&reach.target, key), source, line).await {
            // The service closed it in the same moment; the next one is fresh.
            Err(Failure::Silent(_)) if is_kept => {}
            answer => return answer,
        }
    }
}

async fn over(
    shared: &Arc<Shared>,
    ask: &Ask,
    (target, key): (&Target, Key),
    source: &mut Source,
    line: Line,
) -> Result<Response, Failure> {
    let meter = Meter { targets: Arc::clone(&shared.targets), session: target.session };
    let Some(body) = source.take() else {
        return Err(Failure::Silent("the body was sent already".into()));
    };
    let (upload, outcome) = Upload::new(body, shared.limits.body, Some(meter.clone()));
    let request = request(shared, ask, target, upload)?;
    let (answer, line) = line.send(request, &outcome, shared.limits.answer).await?;
    let (mut parts, body) = answer.into_parts();
    if parts.status.is_informational() {
        return Err(Failure::Broken(format!("an answer {} to a plain request", parts.status)));
    }
    let events = response::is_event_stream(&parts.headers);
    let authority = target.address.to_string();
    let place = Place { authority: &authority, prefix: &ask.route.prefix, service: ask.route.service };
    response::adapt(&mut parts.headers, &place);
    let body = line.into_body(body).until(|| ask.hold(shared), events).metered(meter);
    let body = body.keep(Arc::clone(&shared.pool), key);
    parts.extensions.clear();
    parts.version = http::Version::HTTP_11;
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// The request as it goes to the service.
pub(super) fn request(
    shared: &Shared,
    ask: &Ask,
    target: &Target,
    body: Upload,
) -> Result<Request<Upload>, Failure> {
    let authority = target.address.to_string();
    let origin = Origin {
        authority: &authority,
        prefix: &ask.route.prefix,
        peer: ask.peer,
        trusted: ask.peer.is_some_and(|peer| shared.limits.trusted.contains(&peer.to_canonical())),
        request_id: &ask.request_id,
    };
    let mut request = Request::new(body);
    *request.method_mut() = ask.parts.method.clone();
    *request.uri_mut() = uri(ask)?;
    *request.headers_mut() = request::headers(&ask.parts.headers, &origin);
    if let Some((name, key)) = shared.targets.key(target.session, ask.route.service) {
        request.headers_mut().insert(name, key);
    }
    Ok(request)
}

/// The service's own path and query, without credentials; otherwise as sent.
fn uri(ask: &Ask) -> Result<Uri, Failure> {
    let query = credentials::query(ask.route.query());
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{query}", ask.route.path())
        .parse()
        .map_err(|_| Failure::Broken("the path cannot be sent on".into()))
}

/// For sockets, whose requests have no body.
pub(super) fn without_body(ask: &Ask) -> Result<(), ApiError> {
    match framing::check(&ask.parts.headers, 0) {
        Ok(Some(0)) => Ok(()),
        _ => Err(ApiError::new(Code::BadRequest, "a request for a WebSocket has no body")),
    }
}
