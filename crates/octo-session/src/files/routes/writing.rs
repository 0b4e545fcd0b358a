//! Requests that write one file, or change the tree.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::Stream;

use super::{Answer, App, blocking, conditions_of, done};
use crate::files::Shared;
use crate::files::ask::Ask;
use crate::files::change;
use crate::files::inside::{Inside, name_of_upload};
use crate::files::jail::{self, Jail};
use crate::files::receive::{receive, too_large};
use crate::files::refusal::{Code, Refusal};
use crate::files::write;

/// Refuses a body that says itself that it is too large, before any of it is read.
pub(super) fn refuse_announced(headers: &HeaderMap, limit: u64) -> Result<(), Refusal> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
}

/// Writes a body to `path`.
async fn store<E: std::fmt::Display>(
    shared: &Arc<Shared>,
    ask: &Ask,
    jail: Jail,
    path: Inside,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<axum::body::Bytes, E>>,
) -> Answer {
    let mode = ask.text("mode").map(change::mode).transpose()?;
    let mkdir = ask.flag("mkdir");
    let conditions = conditions_of(headers);
    let at = path.clone();
    let (draft, file) = blocking(move || write::begin(&jail, &at, mkdir)).await?;
    let mut file = tokio::fs::File::from_std(file);
    receive(body, &mut file, shared.limits.max_upload_size, &path, |_| ()).await?;
    let file = file.into_std().await;
    let own = Arc::clone(shared);
    let tag = blocking(move || draft.finish(&file, mode, &conditions, &own.order)).await?;
    Ok(done("written", &path, Some(&tag)))
}

pub(super) async fn put(State(shared): App, ask: Ask, headers: HeaderMap, body: Body) -> Answer {
    let path = ask.path("path")?;
    refuse_announced(&headers, shared.limits.max_upload_size)?;
    let jail = shared.jail_for(&ask)?;
    store(&shared, &ask, jail, path, &headers, body.into_data_stream()).await
}

pub(super) async fn post(State(shared): App, ask: Ask, headers: HeaderMap, mut form: Multipart) -> Answer {
    // What surrounds the file in the body is not part of it.
    refuse_announced(&headers, shared.limits.max_upload_size.saturating_add(64 << 10))?;
    let no_form = |error: axum::extract::multipart::MultipartError| {
        Refusal::new(Code::InvalidRequest, format!("the upload is no form with a file: {error}"))
    };
    let jail = shared.jail_for(&ask)?;
    let field = form.next_field().await.map_err(no_form)?;
    let field = field.ok_or_else(|| Refusal::new(Code::InvalidRequest, "the form has no field"))?;
    let given = field.file_name().map(str::to_owned);
    let at = ask.path_or_root("path")?;
    let is_folder = ask.bytes("path").is_none_or(|raw| raw.is_empty() || raw.ends_with(b"/")) || {
        let (at, jail) = (at.clone(), jail.clone());
        blocking(move || Ok(jail.folder(&at).is_ok())).await?
    };
    let path =
        if is_folder { at.join(name_of_upload(given.as_deref().unwrap_or_default())?.as_ref()) } else { at };
    store(&shared, &ask, jail, path, &headers, field).await
}

pub(super) async fn delete(State(shared): App, ask: Ask, headers: HeaderMap) -> Answer {
    let path = ask.path("path")?;
    let shown = path.clone();
    blocking(move || change::remove(&shared.jail_for(&ask)?, &path, &conditions_of(&headers), &shared.order))
        .await?;
    Ok(done("deleted", &shown, None))
}

pub(super) async fn mkdir(State(shared): App, ask: Ask) -> Answer {
    let path = ask.path("path")?;
    let shown = path.clone();
    blocking(move || change::make_folder(&shared.jail_for(&ask)?, &path)).await?;
    Ok(done("directory made", &shown, None))
}

pub(super) async fn rename(State(shared): App, ask: Ask, headers: HeaderMap) -> Answer {
    let (old, new) = (ask.path("old_path")?, ask.path("new_path")?);
    let shown = new.clone();
    blocking(move || {
        change::rename(&shared.jail_for(&ask)?, &old, &new, &conditions_of(&headers), &shared.order)
    })
    .await?;
    Ok(done("renamed", &shown, None))
}

pub(super) async fn chmod(State(shared): App, ask: Ask) -> Answer {
    let path = ask.path("path")?;
    let mode = change::mode(ask.text("mode").unwrap_or_default())?;
    let answer = blocking(move || {
        let jail = shared.jail_for(&ask)?;
        change::set_mode(&jail, &path, mode)?;
        let (folder, name) = jail.parent(&path)?;
        let status = jail::status(&folder, name).map_err(|errno| Refusal::system(errno, &path))?;
        Ok(serde_json::json!({
            "success": true,
            "message": "mode set",
            "path": path.to_string(),
            "mode": format!("{:04o}", jail::permissions(&status)),
        }))
    })
    .await?;
    Ok((StatusCode::OK, axum::Json(answer)).into_response())
}
