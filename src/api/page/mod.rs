//! The set-up page over HTTP: who may see it, its files, its forms, and the parts of it as they change.

mod guard;
mod live;

pub use guard::{Admits, Who};
pub(super) use live::{Seats, Stream};

use super::answer::{Answer, fresh};
use super::connection::Client;
use super::image;
use super::view::{FetchPicture, View};
use crate::page::{self, Act, MOST_FORM, SAID, Sight};
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
};
use hyper::{Method, Request, StatusCode};
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// What is behind the page.
pub trait Desk {
    /// Who may see it.
    fn admits(&self) -> Admits;

    /// All that it shows, as it is now.
    fn sight(&self) -> Sight;

    /// Now, by the clock that the page's deadlines are told by.
    fn now(&self) -> Duration;

    /// Begins what was asked for, whose form has borne the page's key.
    ///
    /// # Errors
    ///
    /// Why it does not, in a sentence with the remedy.
    fn act(&self, act: Act) -> Result<(), String>;

    /// Fetches the newest picture.
    fn picture(&self) -> FetchPicture;
}

/// Everything of the page is below this.
const PREFIX: &str = "/page/";
/// A camera that gives no picture within this time has none.
const CAMERA_PATIENCE: Duration = Duration::from_secs(15);
/// A form must arrive within this time.
const FORM_PATIENCE: Duration = Duration::from_secs(10);
/// Nothing from elsewhere, nothing inline, and no other site's frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// On whose pages a picture may be shown.
const OWN_PAGES: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A file of the page, or one of its doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Page,
    Style,
    Script,
    Live,
    Camera,
    Do,
}

impl Place {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            path => match path.strip_prefix(PREFIX)? {
                "page.css" => Self::Style,
                "page.js" => Self::Script,
                "live" => Self::Live,
                "camera.jpg" => Self::Camera,
                "do" => Self::Do,
                _ => return None,
            },
        })
    }
}

/// Who asks, and how.
pub(super) struct Visit<'a> {
    /// What answers.
    pub(super) view: &'a Rc<dyn View>,
    /// The other end of the connection.
    pub(super) peer: Option<IpAddr>,
    /// The same, to see when it has gone.
    pub(super) client: &'a Client,
    /// Seats for those who watch the page.
    pub(super) seats: &'a Seats,
    /// True when the program stops.
    pub(super) shutdown: &'a watch::Receiver<bool>,
}

/// Answers a request for the page, or for something of it; gives the request back where that is something else.
pub(super) async fn answer(
    visit: Visit<'_>,
    request: Request<Incoming>,
) -> Result<Answer, Request<Incoming>> {
    let Some(place) = Place::of(request.uri().path()) else { return Err(request) };
    let Some(desk) = visit.view.desk() else { return Err(request) };
    let admits = desk.admits();
    if admits.who == Who::Nobody {
        return Err(request);
    }
    if let Err(why) = guard::visitor(&admits, visit.peer, request.headers()) {
        return Ok(text(StatusCode::FORBIDDEN, why));
    }
    // A link to the page may be anywhere; what belongs to it is for itself.
    if !matches!(place, Place::Page | Place::Do)
        && let Err(why) = guard::asker(request.headers())
    {
        return Ok(text(StatusCode::FORBIDDEN, why));
    }
    let wanted = if place == Place::Do { &[Method::POST][..] } else { &[Method::GET, Method::HEAD] };
    if !wanted.contains(request.method()) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, SAID.not_taken);
        let allowed = if place == Place::Do { "POST" } else { "GET, HEAD" };
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        return Ok(answer);
    }
    if place != Place::Do && !request.body().is_end_stream() {
        return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, SAID.no_body));
    }
    Ok(match place {
        Place::Page => {
            secured(fresh(StatusCode::OK, Some("text/html; charset=utf-8"), page::whole(&desk.sight())))
        }
        Place::Style => fresh(StatusCode::OK, Some("text/css; charset=utf-8"), page::STYLE),
        Place::Script => fresh(StatusCode::OK, Some("text/javascript; charset=utf-8"), page::SCRIPT),
        Place::Live => live::answer(&visit),
        Place::Camera => match timeout(CAMERA_PATIENCE, desk.picture()).await {
            Ok(Ok(picture)) => {
                let mut answer = image::answer(picture, request.headers());
                // No other site's page is to show it.
                answer.headers_mut().insert(OWN_PAGES, HeaderValue::from_static("same-origin"));
                answer
            }
            Ok(Err(why)) => text(StatusCode::NOT_FOUND, &why),
            Err(_) => text(StatusCode::NOT_FOUND, SAID.no_picture),
        },
        Place::Do => form(desk, request).await,
    })
}

/// Takes a form.
async fn form(desk: &dyn Desk, request: Request<Incoming>) -> Answer {
    if let Err(why) = guard::sender(request.headers()) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let is_form = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form = is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, SAID.own_forms);
    }
    let scripted = request.headers().get(ACCEPT).is_some_and(|kind| kind == "text/plain");
    let body = match timeout(FORM_PATIENCE, whole_body(request.into_body())).await {
        Ok(Ok(body)) => body,
        Ok(Err(status)) => return text(status, SAID.broken_form),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, SAID.late_form),
    };
    let act = match Act::read(&body) {
        Ok(act) => act,
        Err(error) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if !guard::is_same(act.key.expose(), &desk.sight().key) {
        return text(StatusCode::FORBIDDEN, SAID.anew);
    }
    match desk.act(act) {
        Ok(()) if scripted => fresh(StatusCode::NO_CONTENT, None, ""),
        Ok(()) => {
            let mut answer = text(StatusCode::SEE_OTHER, SAID.done);
            // The page as the browser sees it, whatever is before its path.
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static("../"));
            answer
        }
        Err(why) => text(StatusCode::CONFLICT, &why),
    }
}

/// A body up to the size of the largest form.
async fn whole_body(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    if body.size_hint().lower() > MOST_FORM as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MOST_FORM {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

fn text(status: StatusCode, text: &str) -> Answer {
    secured(fresh(status, Some("text/plain; charset=utf-8"), text.to_owned()))
}

fn secured(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With none at all a browser would not say either where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}
