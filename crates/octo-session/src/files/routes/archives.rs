//! Requests for several files at once.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::writing::refuse_announced;
use super::{Answer, App, blocking};
use crate::files::Shared;
use crate::files::ask::Ask;
use crate::files::inside::{Inside, name_of_upload};
use crate::files::jail::Jail;
use crate::files::pack::{self, Format};
use crate::files::read::{self, Disposition, disposition};
use crate::files::receive::receive;
use crate::files::refusal::{Code, Refusal};
use crate::files::{unpack, write};

/// The answer with `paths` in one archive, called after them or as the request says.
pub(super) async fn packed(
    shared: &Arc<Shared>,
    jail: Jail,
    paths: Vec<Inside>,
    format: Format,
    name: Option<&str>,
) -> Answer {
    // A path that is not there must be told before the answer has begun.
    let (seen, look) = (paths.clone(), jail.clone());
    blocking(move || {
        for path in &seen {
            if let Some((folder, name)) = path.split() {
                let folder = look.folder(&folder)?;
                crate::files::jail::status(&folder, name).map_err(|errno| Refusal::system(errno, path))?;
            }
        }
        Ok(())
    })
    .await?;
    let name = match (name, paths.as_slice()) {
        (Some(name), _) => name_of_upload(name)?,
        (None, [path]) => {
            path.split().map_or("workspace".into(), |(_, name)| name.to_string_lossy().into_owned())
        }
        _ => "files".to_owned(),
    };
    let name = if name.ends_with(format.ending()) { name } else { name + format.ending() };
    let turn = Arc::clone(&shared.archives)
        .acquire_owned()
        .await
        .map_err(|_| Refusal::new(Code::TooBusy, "the server is about to end"))?;
    let mut answer = Response::new(pack::body(jail, paths, format, shared.limits.max_archive_entries, turn));
    let headers = answer.headers_mut();
    read::put(headers, header::CONTENT_TYPE, format.content_type());
    read::put(headers, header::CONTENT_DISPOSITION, &disposition(Disposition::Attachment, name.as_bytes()));
    read::put(headers, header::CACHE_CONTROL, "private, no-store");
    read::guard(headers);
    Ok(answer)
}

/// `path=` as often as wanted, for any name; or `paths=a,b`, for names without commas.
fn paths_of(ask: &Ask) -> Result<Vec<Inside>, Refusal> {
    let several =
        ask.all("paths").flat_map(|list| list.split(|&byte| byte == b',')).filter(|path| !path.is_empty());
    let paths: Vec<Inside> = several.chain(ask.all("path")).map(Inside::parse).collect::<Result<_, _>>()?;
    if paths.is_empty() {
        return Err(Refusal::new(Code::InvalidPath, "`paths` is missing"));
    }
    // Two of one name would lie over each other in the archive.
    let mut names: Vec<_> =
        paths.iter().filter_map(|path| path.split().map(|(_, name)| name.to_owned())).collect();
    names.sort();
    names.dedup();
    if names.len() != paths.len() && paths.len() > 1 {
        return Err(Refusal::new(
            Code::InvalidPath,
            "two of the paths have the same name; take what they lie in",
        ));
    }
    Ok(paths)
}

pub(super) async fn download_zip(State(shared): App, ask: Ask) -> Answer {
    let paths = paths_of(&ask)?;
    packed(&shared, shared.jail_for(&ask)?, paths, Format::Zip, ask.text("name")).await
}

pub(super) async fn archive(State(shared): App, ask: Ask) -> Answer {
    let format = Format::named(ask.text("format"))?;
    let paths = if ask.bytes("paths").is_some() { paths_of(&ask)? } else { vec![ask.path_or_root("path")?] };
    packed(&shared, shared.jail_for(&ask)?, paths, format, ask.text("name")).await
}

/// Extracts the archive that the body is, or the one at `archive=`, into `path=`.
pub(super) async fn extract(State(shared): App, ask: Ask, headers: HeaderMap, body: Body) -> Answer {
    let to = ask.path_or_root("path")?;
    let jail = shared.jail_for(&ask)?;
    let file = if ask.bytes("archive").is_some() {
        let (archive, jail) = (ask.path("archive")?, jail.clone());
        blocking(move || Ok(read::open(&jail, &archive)?.file)).await?
    } else {
        refuse_announced(&headers, shared.limits.max_upload_size)?;
        let whole = jail.clone();
        // In the workspace, where there is room for it, and without a name.
        let (draft, file) =
            blocking(move || write::begin(&whole, &Inside::parse(b".upload-archive")?, false)).await?;
        let mut file = tokio::fs::File::from_std(file);
        receive(body.into_data_stream(), &mut file, shared.limits.max_upload_size, &to, |_| ()).await?;
        drop(draft);
        file.into_std().await
    };
    let turn = Arc::clone(&shared.archives)
        .acquire_owned()
        .await
        .map_err(|_| Refusal::new(Code::TooBusy, "the server is about to end"))?;
    let shown = to.clone();
    let report = blocking(move || {
        let _turn = turn;
        let mut file = file;
        unpack::extract(&jail, &to, &mut file, &shared.limits, &shared.order)
    })
    .await?;
    let mut answer =
        serde_json::json!({ "success": true, "message": "extracted", "path": shown.to_string() });
    if let (Some(answer), Ok(serde_json::Value::Object(report))) =
        (answer.as_object_mut(), serde_json::to_value(report))
    {
        answer.extend(report);
    }
    Ok(axum::Json(answer).into_response())
}
