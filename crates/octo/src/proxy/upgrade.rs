//! WebSockets of the agent server and the file server: the service answers the handshake itself.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header;
use std::sync::Arc;
use tokio::net::TcpStream;

use super::exchange::{self, Failure, Line};
use super::http as plain;
use super::reach::Reach;
use super::response::{self, Place};
use super::service::{Ask, Shared};
use super::target::Use;
use super::upload::{Meter, Source, Upload};
use super::websocket::handshake;
use super::websocket::relay::{self, Ends, Kind};
use crate::api::error::ApiError;

pub(super) use handshake::is_asked_for;

/// What a service says to a handshake.
enum Answer {
    Socket(Box<Response>, TcpStream, Bytes),
    Plain(Box<Response>),
}

/// Passes the handshake on, and then the frames.
pub(super) async fn relay(shared: &Arc<Shared>, mut ask: Ask) -> Result<Response, ApiError> {
    plain::without_body(&ask)?;
    let promised = handshake::promised(&mut ask)?;
    let mut reach = Reach::new(shared, &ask, shared.limits.startup).await?;
    shared.targets.used(reach.target.session, Use::Active);
    let answer = loop {
        match attempt(shared, &ask, &reach).await {
            Ok(answer) => break answer,
            Err(failure) => reach.after(failure, true).await?,
        }
    };
    match answer {
        Answer::Plain(response) => Ok(*response),
        Answer::Socket(response, upstream, early) => {
            let meter = Meter { targets: Arc::clone(&shared.targets), session: reach.target.session };
            let lease = ask.hold(shared);
            let keep_alive = shared.limits.keep_alive;
            shared.tasks.spawn(async move {
                let Ok(client) = promised.await else { return };
                let client = hyper_util::rt::TokioIo::new(client);
                let ends = Ends { client, upstream, from_client: Bytes::new(), from_upstream: early };
                relay::run(ends, Kind::Service, &meter, keep_alive, &lease).await;
            });
            Ok(*response)
        }
    }
}

async fn attempt(shared: &Arc<Shared>, ask: &Ask, reach: &Reach<'_>) -> Result<Answer, Failure> {
    let target = &reach.target;
    let line = Line::new(reach.connect().await?).await?;
    let (upload, outcome) = Upload::new(Source::Empty, 0, None);
    let mut request = plain::request(shared, ask, target, upload)?;
    handshake::put_upgrade(request.headers_mut());
    let (answer, line) = line.send(request, &outcome, shared.limits.answer).await?;
    let authority = target.address.to_string();
    let place = Place { authority: &authority, prefix: &ask.route.prefix, service: ask.route.service };
    if !exchange::is_upgrade(&answer) {
        let (mut parts, body) = answer.into_parts();
        let events = response::is_event_stream(&parts.headers);
        response::adapt(&mut parts.headers, &place);
        parts.extensions.clear();
        let body = Body::new(line.into_body(body).until(|| ask.hold(shared), events));
        return Ok(Answer::Plain(Box::new(Response::from_parts(parts, body))));
    }
    let mut response = handshake::switching();
    for name in
        [header::SEC_WEBSOCKET_ACCEPT, header::SEC_WEBSOCKET_PROTOCOL, header::SEC_WEBSOCKET_EXTENSIONS]
    {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    let (upstream, early) =
        line.into_upgraded().await.ok_or_else(|| Failure::Broken("the service broke off".into()))?;
    Ok(Answer::Socket(Box::new(response), upstream, early))
}
