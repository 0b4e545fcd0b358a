//! The page, and the terminal that it shows: xterm.js, as its authors built it.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file of the page.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    packed: Bytes,
    tag: String,
}

const FILES: [(&str, &str, &[u8]); 6] = [
    ("/", "text/html; charset=utf-8", include_bytes!("page/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("page/app.js")),
    ("/style.css", "text/css; charset=utf-8", include_bytes!("page/style.css")),
    ("/xterm.mjs", "text/javascript; charset=utf-8", include_bytes!("page/xterm.mjs")),
    ("/xterm.css", "text/css; charset=utf-8", include_bytes!("page/xterm.css")),
    ("/addon-fit.mjs", "text/javascript; charset=utf-8", include_bytes!("page/addon-fit.mjs")),
];

/// What the page may load: its own files and its own socket. xterm.js writes its colours and widths into a style element.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// All files, packed once.
pub(super) fn assets() -> Vec<Asset> {
    let all = FILES.into_iter().map(|(path, kind, plain)| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        // Into memory; if it fails nevertheless, the file is sent as it is.
        let packed = packer.write_all(plain).and_then(|()| packer.finish()).unwrap_or_default();
        // The version: FNV-1a, which need not resist anybody.
        let sum = plain.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Asset { path, kind, plain, packed: packed.into(), tag: format!("\"{sum:016x}\"") }
    });
    all.collect()
}

impl Asset {
    /// The answer to whoever asks for the file.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response {
        let text =
            |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let mut answer = if text(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim() == self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else if text(header::ACCEPT_ENCODING).contains("gzip") && !self.packed.is_empty() {
            let mut answer = Response::new(Body::from(self.packed.clone()));
            answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        } else {
            Response::new(Body::from(self.plain))
        };
        let headers = answer.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_page_works_under_any_path_and_needs_nothing_from_elsewhere() {
        for (path, _, plain) in
            FILES.iter().filter(|(path, ..)| !path.contains("xterm") && !path.contains("addon"))
        {
            let text = std::str::from_utf8(plain).unwrap();
            assert!(!text.contains("=\"/") && !text.contains("='/") && !text.contains("from '/"), "{path}");
            assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
            assert!(
                !text.contains(" style=") && !text.contains("onclick") && !text.contains("<script>"),
                "{path}"
            );
        }
    }

    #[test]
    fn the_page_is_small_on_the_line() {
        let total: usize = assets().iter().map(|asset| asset.packed.len()).sum();
        assert!(total < 120_000, "{total} bytes");
        assert!(assets().iter().all(|asset| !asset.packed.is_empty()));
    }
}
