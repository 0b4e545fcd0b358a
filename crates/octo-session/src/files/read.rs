//! A file on its way out: with ranges and conditions, streamed, and never as a page of this origin.

use std::io::{Read, Seek, SeekFrom};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::fs::{FileType, Stat};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::conditions::{self, Part};
use super::inside::Inside;
use super::jail::{self, Jail};
use super::refusal::{Code, Refusal};

/// How much of a file is in memory at once, in bytes.
const CHUNK: usize = 128 << 10;
/// The largest file that is shown as a table, in bytes.
const LARGEST_TABLE: u64 = 1 << 20;

/// A file that is open to be read.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: std::fs::File,
    pub(crate) status: Stat,
}

/// Opens the file at `path`.
pub(crate) fn open(jail: &Jail, path: &Inside) -> Result<Opened, Refusal> {
    let file = jail.read(path)?;
    let status = rustix::fs::fstat(&file).map_err(|errno| Refusal::system(errno, path))?;
    match jail::kind(&status) {
        FileType::RegularFile => Ok(Opened { file: file.into(), status }),
        FileType::Directory => Err(Refusal::new(Code::NotAFile, format!("{path}: it is a directory"))),
        _ => Err(Refusal::new(Code::NotAFile, format!("{path}: it is neither file nor directory"))),
    }
}

/// How a browser shall take a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Shown, if it can be.
    Inline,
    /// Saved.
    Attachment,
}

/// The answer to a request for a file.
pub(crate) fn answer(
    opened: Opened,
    path: &Inside,
    how: Disposition,
    method: &Method,
    asked: &HeaderMap,
) -> Result<Response, Refusal> {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let tag = conditions::etag(&opened.status);
    let modified = modified(&opened.status);
    let size = jail::size(&opened.status);
    let name = path.split().map(|(_, name)| name.as_encoded_bytes().to_vec()).unwrap_or_default();

    if text(header::IF_MATCH).is_some_and(|list| !conditions::names(list, Some(&tag))) {
        return Err(Refusal::new(Code::PreconditionFailed, format!("{path}: the file has changed")));
    }
    let mut answer = Response::new(Body::empty());
    let headers = answer.headers_mut();
    put(headers, header::ETAG, &tag);
    put(headers, header::LAST_MODIFIED, &modified);
    put(headers, header::ACCEPT_RANGES, "bytes");
    put(headers, header::CACHE_CONTROL, "private, no-cache");
    guard(headers);
    let unchanged = match text(header::IF_NONE_MATCH) {
        Some(list) => conditions::names(list, Some(&tag)),
        None => text(header::IF_MODIFIED_SINCE).is_some_and(|since| since.trim() == modified),
    };
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    put(headers, header::CONTENT_TYPE, &content_type(&name));
    put(headers, header::CONTENT_DISPOSITION, &disposition(how, &name));

    // A range of another version is of no use to whoever has the rest of an older one.
    let current =
        text(header::IF_RANGE).is_none_or(|version| version.trim() == tag || version.trim() == modified);
    let part = if current { conditions::part(text(header::RANGE), size) } else { Part::Whole };
    let range = match part {
        Part::Whole => 0..size,
        Part::Bytes(range) => {
            put(headers, header::CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            range
        }
        Part::Beyond => {
            put(headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(answer);
        }
    };
    put(answer.headers_mut(), header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    if method != Method::HEAD {
        let mut file = opened.file;
        file.seek(SeekFrom::Start(range.start)).map_err(|error| Refusal::io(&error, path))?;
        let reader = tokio::fs::File::from_std(file).take(range.end - range.start);
        *answer.body_mut() = Body::from_stream(ReaderStream::with_capacity(reader, CHUNK));
    }
    Ok(answer)
}

/// Sets a header, unless its value cannot be one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Content of a workspace is shown under the address of the workshop, where a person is logged in: no script of it
/// may run there.
pub(crate) fn guard(headers: &mut HeaderMap) {
    let csp =
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; sandbox";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn modified(status: &Stat) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(status.st_mtime).unwrap_or_default());
    // What lies beyond the year 9999 has no date in HTTP.
    let since = since.min(std::time::Duration::from_secs(253_402_300_799));
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}

fn content_type(name: &[u8]) -> String {
    let guessed = mime_guess::from_path(String::from_utf8_lossy(name).as_ref()).first_or_octet_stream();
    let plain = guessed.essence_str();
    let is_text =
        plain.starts_with("text/") || matches!(plain, "application/json" | "application/javascript");
    if is_text { format!("{plain}; charset=utf-8") } else { plain.to_owned() }
}

/// What RFC 8187 lets stand as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The header that names a file, for old programs and for all names.
pub(crate) fn disposition(how: Disposition, name: &[u8]) -> String {
    let how = match how {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let plain: String = name
        .iter()
        .map(|&byte| {
            if byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' || byte == b' ' {
                char::from(byte)
            } else {
                '_'
            }
        })
        .collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encode(name, PLAIN))
}

/// A text file as a table of numbered lines.
///
/// # Errors
///
/// A file of more than 1 MiB is refused.
pub(crate) fn table(opened: Opened, path: &Inside, theme: &str) -> Result<String, Refusal> {
    let too_large = || {
        Refusal::new(Code::FileTooLarge, format!("{path}: a table is made of up to {LARGEST_TABLE} bytes"))
    };
    if jail::size(&opened.status) > LARGEST_TABLE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    opened.file.take(LARGEST_TABLE + 1).read_to_end(&mut bytes).map_err(|error| Refusal::io(&error, path))?;
    if bytes.len() as u64 > LARGEST_TABLE {
        return Err(too_large());
    }
    let (ink, paper, faint) =
        if theme.contains("light") { ("#222", "#fff", "#999") } else { ("#ddd", "#1e1e1e", "#777") };
    let mut html = format!(
        "<table class=\"file\" style=\"font-family:monospace;white-space:pre;border-spacing:0;color:{ink};background:{paper}\"><tbody>\n"
    );
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let line =
            line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        html.push_str(&format!(
            "<tr id=\"L{0}\"><td style=\"color:{faint};text-align:right;padding-right:1em\">{0}</td><td>{line}</td></tr>\n",
            number + 1
        ));
    }
    html.push_str("</tbody></table>\n");
    Ok(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_into_the_header_whole_and_harmless() {
        let header = disposition(Disposition::Attachment, "fir\"mw\r\näre.bin".as_bytes());
        assert_eq!(
            header,
            "attachment; filename=\"fir_mw____re.bin\"; filename*=UTF-8''fir%22mw%0D%0A%C3%A4re.bin"
        );
        assert!(HeaderValue::from_str(&header).is_ok());
    }

    #[test]
    fn types_go_by_the_ending() {
        for (name, expected) in [
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.bin", "application/octet-stream"),
            ("README", "application/octet-stream"),
            ("a.json", "application/json; charset=utf-8"),
            ("a.png", "image/png"),
        ] {
            assert_eq!(content_type(name.as_bytes()), expected, "{name}");
        }
    }
}
