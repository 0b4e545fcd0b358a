//! The camera's picture, whole or as "not changed".

use super::answer::{Answer, fresh};
use super::stamp;
use super::view::Picture;
use crate::calendar;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};

/// No proxy and no browser may show an old picture for a new one.
const CACHING: &str = "no-store, no-cache, must-revalidate, max-age=0";

/// When the picture came, in ISO 8601.
const X_IMAGE_TIMESTAMP: HeaderName = HeaderName::from_static("x-image-timestamp");

/// The picture, or 304 for a client that has it, by the headers of its request.
pub(super) fn answer(picture: Picture, asked: &HeaderMap) -> Answer {
    let etag = picture.etag();
    let taken = picture.taken;
    let mut answer = match is_known(asked, &etag, taken.as_secs()) {
        true => fresh(StatusCode::NOT_MODIFIED, None, ""),
        false => fresh(StatusCode::OK, Some("image/jpeg"), picture.jpeg),
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHING));
    let texts =
        [(ETAG, etag), (LAST_MODIFIED, stamp::http(taken)), (X_IMAGE_TIMESTAMP, calendar::rfc3339(taken))];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
    answer
}

/// Whether the client has it already. A date counts only where no tag is asked for (RFC 9110, 13.1.3).
fn is_known(asked: &HeaderMap, etag: &str, taken: u64) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        return tags.flat_map(|list| list.split(',')).map(str::trim).any(|tag| {
            // A weak tag is enough to know a picture by (13.1.2). Our own tags hold no comma.
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        });
    }
    let mut dates = asked.get_all(IF_MODIFIED_SINCE).iter();
    let (Some(date), None) = (dates.next(), dates.next()) else { return false };
    date.to_str().ok().and_then(stamp::read_http).is_some_and(|since| taken <= since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// 2026-11-21 02:20:05.007 UTC.
    const TAKEN: Duration = Duration::from_millis(1_795_227_605_007);
    const TAG: &str = "\"1a1fbe7580f-5\"";

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let same = "Sat, 21 Nov 2026 02:20:05 GMT";
        let table: &[(&[(HeaderName, &str)], bool)] = &[
            (&[], false),
            (&[(IF_NONE_MATCH, TAG)], true),
            (&[(IF_NONE_MATCH, "*")], true),
            (&[(IF_NONE_MATCH, "\"other\"")], false),
            (&[(IF_NONE_MATCH, "1a1fbe7580f-5")], false),
            (&[(IF_NONE_MATCH, "\"other\" , W/\"1a1fbe7580f-5\"")], true),
            (&[(IF_NONE_MATCH, "\"other\""), (IF_NONE_MATCH, TAG)], true),
            (&[(IF_MODIFIED_SINCE, same)], true),
            (&[(IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 02:20:04 GMT")], false),
            (&[(IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 02:20:06 GMT")], true),
            (&[(IF_MODIFIED_SINCE, "not a date")], false),
            (&[(IF_MODIFIED_SINCE, same), (IF_MODIFIED_SINCE, same)], false),
            // The tag counts, not the date.
            (&[(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, same)], false),
        ];
        for (headers, expected) in table {
            let mut asked = HeaderMap::new();
            for (name, value) in *headers {
                asked.append(name, HeaderValue::from_static(value));
            }
            let answer = answer(Picture::of("12345", TAKEN), &asked);
            let status = if *expected { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            assert_eq!(answer.status(), status, "{headers:?}");
            let told = answer.headers();
            assert_eq!(
                (&told[ETAG], &told[LAST_MODIFIED]),
                (&HeaderValue::from_static(TAG), &same.parse().unwrap())
            );
            assert_eq!(told[X_IMAGE_TIMESTAMP], "2026-11-21T02:20:05.007Z");
            assert_eq!(told[CACHE_CONTROL], CACHING);
            assert_eq!(told.contains_key("content-type"), !expected);
        }
    }
}
