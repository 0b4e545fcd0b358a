//! A file of a page, packed once, with what a browser must know about it.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// A file of a page.
#[derive(Debug)]
pub struct Asset {
    /// Its name in the page; empty for the page itself.
    pub name: &'static str,
    /// As it is committed.
    pub plain: &'static [u8],
    kind: &'static str,
    policy: &'static str,
    packed: Bytes,
    tag: String,
}

impl Asset {
    /// Packs it.
    #[must_use]
    pub fn new(name: &'static str, kind: &'static str, plain: &'static [u8], policy: &'static str) -> Self {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        // Into memory; should it fail, the file is sent as it is.
        let packed = packer.write_all(plain).and_then(|()| packer.finish()).unwrap_or_default();
        // A version and no secret: FNV-1a.
        let sum = plain.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { name, plain, kind, policy, packed: packed.into(), tag: format!("\"{sum:016x}\"") }
    }

    /// Bytes on the line.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.packed.len()
    }

    /// The answer to whoever asks for it; 304 where they have it.
    #[must_use]
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let text =
            |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut response = if text(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim() == self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else if text(header::ACCEPT_ENCODING).contains("gzip") && !self.packed.is_empty() {
            let mut response = Response::new(Body::from(self.packed.clone()));
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        } else {
            Response::new(Body::from(self.plain))
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        for (name, value) in [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "Accept-Encoding"),
            (header::CONTENT_SECURITY_POLICY, self.policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
