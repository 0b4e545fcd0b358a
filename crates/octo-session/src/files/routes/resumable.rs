//! An upload in several requests: POST begins it, PATCH adds to it, and the last one puts the file in its place.

use std::io::{Seek, SeekFrom};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::writing::refuse_announced;
use super::{Answer, App, blocking, conditions_of};
use crate::files::ask::Ask;
use crate::files::inside::Inside;
use crate::files::receive::receive;
use crate::files::refusal::{Code, Refusal};
use crate::files::uploads::{Shared as Kept, Upload};
use crate::files::{change, read, write};

/// Where an upload stands, in requests and answers.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// What an answer says of an upload.
fn told(status: StatusCode, id: &str, path: &Inside, offset: u64, size: u64, tag: Option<&str>) -> Response {
    let body = serde_json::json!({
        "id": id, "path": path.to_string(), "offset": offset, "size": size, "complete": tag.is_some(),
    });
    let mut answer = (status, axum::Json(body)).into_response();
    let headers = answer.headers_mut();
    headers.insert(OFFSET, HeaderValue::from(offset));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(tag) = tag {
        read::put(headers, header::ETAG, tag);
    }
    answer
}

fn busy() -> Refusal {
    Refusal::new(Code::TooBusy, "another request adds to this upload")
}

fn gone() -> Refusal {
    Refusal::new(Code::NotFound, "the upload is complete, or was given up")
}

pub(super) async fn begin(State(shared): App, ask: Ask, headers: HeaderMap) -> Answer {
    let path = ask.path("path")?;
    let size = ask.number("size")?.ok_or_else(|| Refusal::new(Code::InvalidRequest, "`size` is missing"))?;
    if size > shared.limits.max_resumable_size {
        let text = format!(
            "more than {} bytes; max_resumable_size sets the limit",
            shared.limits.max_resumable_size
        );
        return Err(Refusal::new(Code::FileTooLarge, text));
    }
    let mode = ask.text("mode").map(change::mode).transpose()?;
    let conditions = conditions_of(&headers);
    let (at, own) = (path.clone(), Arc::clone(&shared));
    let id = blocking(move || {
        let (draft, file) = write::begin(&own.jail_for(&ask)?, &at, ask.flag("mkdir"))?;
        own.uploads.add(Upload { draft, file, size, offset: 0, mode, conditions }, Instant::now())
    })
    .await?;
    let mut answer = told(StatusCode::CREATED, &id, &path, 0, size, None);
    // Relative to the route of this request, since the outside sees it under a prefix.
    read::put(answer.headers_mut(), header::LOCATION, &format!("uploads/{id}"));
    Ok(answer)
}

fn locked(kept: Kept) -> Result<tokio::sync::OwnedMutexGuard<Option<Upload>>, Refusal> {
    kept.try_lock_owned().map_err(|_| busy())
}

pub(super) async fn stand(State(shared): App, Path(id): Path<String>) -> Answer {
    let (kept, path) = shared.uploads.get(&id, Instant::now())?;
    let guard = locked(kept)?;
    let upload = guard.as_ref().ok_or_else(gone)?;
    Ok(told(StatusCode::OK, &id, &path, upload.offset, upload.size, None))
}

pub(super) async fn go_on(
    State(shared): App,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (kept, path) = shared.uploads.get(&id, Instant::now())?;
    refuse_announced(&headers, shared.limits.max_upload_size)?;
    let offset: u64 = headers
        .get(OFFSET)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| Refusal::new(Code::InvalidRequest, "the header Upload-Offset is missing"))?;
    let mut guard = locked(kept)?;
    let upload = guard.as_mut().ok_or_else(gone)?;
    if offset != upload.offset {
        let text = format!("{path}: the upload stands at {}; go on there", upload.offset);
        let mut refusal = Refusal::new(Code::OffsetMismatch, text);
        refusal.offset = Some(upload.offset);
        return Err(refusal);
    }
    // Its own place in the file: what was cut off before counted only as far as it came.
    let mut file = upload.file.try_clone().map_err(|error| Refusal::io(&error, &path))?;
    file.seek(SeekFrom::Start(offset)).map_err(|error| Refusal::io(&error, &path))?;
    let mut file = tokio::fs::File::from_std(file);
    let size = upload.size;
    let limit = shared.limits.max_upload_size.min(size - offset);
    let at = &mut upload.offset;
    let end = receive(body.into_data_stream(), &mut file, limit, &path, |more| *at += more).await;
    drop(file.into_std().await);
    if let Err(refusal) = end {
        return Err(if refusal.code == Code::FileTooLarge && limit == size - offset {
            Refusal::new(
                Code::FileTooLarge,
                format!("{path}: more came than the {size} bytes that were announced"),
            )
        } else {
            refusal
        });
    }
    if upload.offset < size {
        let offset = upload.offset;
        drop(guard);
        return Ok(told(StatusCode::OK, &id, &path, offset, size, None));
    }
    let Some(upload) = guard.take() else { return Err(gone()) };
    shared.uploads.remove(&id);
    let own = Arc::clone(&shared);
    let tag =
        blocking(move || upload.draft.finish(&upload.file, upload.mode, &upload.conditions, &own.order))
            .await?;
    Ok(told(StatusCode::OK, &id, &path, size, size, Some(&tag)))
}

pub(super) async fn give_up(State(shared): App, Path(id): Path<String>) -> Answer {
    if shared.uploads.remove(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(gone()) }
}
