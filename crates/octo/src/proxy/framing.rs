//! Refuses requests whose length could be read in two ways: two servers in a row that read one differently take the end
//! of one request for the begin of the next.

use http::header::{self, HeaderMap};

use crate::api::error::{ApiError, Code};

/// The length that a request declares, where it is acceptable.
///
/// # Errors
/// 400 for a length that cannot be read, is given more than once or contradicts `Transfer-Encoding`, and for any coding
/// but `chunked`; 413 for more than `limit` bytes.
pub fn check(headers: &HeaderMap, limit: u64) -> Result<Option<u64>, ApiError> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let refuse = |what: &str| Err(ApiError::new(Code::BadRequest, what));
    if lengths.next().is_some() {
        return refuse("the request has more than one Content-Length");
    }
    if codings.next().is_some() {
        return refuse("the request has more than one Transfer-Encoding");
    }
    if length.is_some() && coding.is_some() {
        return refuse("the request has a Content-Length and a Transfer-Encoding; send one of them");
    }
    if let Some(coding) = coding {
        return if coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            Ok(None)
        } else {
            refuse("the only Transfer-Encoding that is understood here is chunked")
        };
    }
    let Some(length) = length else { return Ok(Some(0)) };
    let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|text| text.parse::<u64>().ok()) {
        Some(length) if length > limit => Err(too_large(limit)),
        Some(length) => Ok(Some(length)),
        None => refuse("the Content-Length is not a number"),
    }
}

/// The refusal of a body that is longer than `limit` bytes.
#[must_use]
pub fn too_large(limit: u64) -> ApiError {
    let message = format!(
        "the body is larger than {} MiB; the setting server.max_upload_size_mb allows no more",
        limit / (1024 * 1024)
    );
    ApiError::new(Code::PayloadTooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn headers(of: &[(&str, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_length_is_read_in_one_way_or_not_at_all() {
        let length = "content-length";
        let coding = "transfer-encoding";
        for (sent, expected) in [
            (&[][..], Ok(Some(0))),
            (&[(length, "0")], Ok(Some(0))),
            (&[(length, "100")], Ok(Some(100))),
            (&[(length, "101")], Err(Code::PayloadTooLarge)),
            (&[(length, "99999999999999999999999")], Err(Code::BadRequest)),
            (&[(length, "-1")], Err(Code::BadRequest)),
            (&[(length, "+1")], Err(Code::BadRequest)),
            (&[(length, "0x10")], Err(Code::BadRequest)),
            (&[(length, "")], Err(Code::BadRequest)),
            (&[(length, "5, 5")], Err(Code::BadRequest)),
            (&[(length, "5"), (length, "5")], Err(Code::BadRequest)),
            (&[(length, "5"), (length, "6")], Err(Code::BadRequest)),
            (&[(coding, "chunked")], Ok(None)),
            (&[(coding, "Chunked")], Ok(None)),
            (&[(coding, "gzip, chunked")], Err(Code::BadRequest)),
            (&[(coding, "chunked, chunked")], Err(Code::BadRequest)),
            (&[(coding, "identity")], Err(Code::BadRequest)),
            (&[(coding, "xchunked")], Err(Code::BadRequest)),
            (&[(coding, "chunked"), (coding, "identity")], Err(Code::BadRequest)),
            (&[(coding, "chunked"), (length, "5")], Err(Code::BadRequest)),
        ] {
            assert_eq!(check(&headers(sent), 100).map_err(|error| error.code), expected, "{sent:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_accepted_is_ambiguous(lengths in proptest::collection::vec("[0-9 ,+x-]{0,6}", 0..3),
                                                codings in proptest::collection::vec("(chunked|gzip|[a-z, ]{0,10})", 0..3)) {
            let mut sent = HeaderMap::new();
            for length in &lengths {
                sent.append(header::CONTENT_LENGTH, HeaderValue::from_str(length).unwrap());
            }
            for coding in &codings {
                sent.append(header::TRANSFER_ENCODING, HeaderValue::from_str(coding).unwrap());
            }
            if check(&sent, u64::MAX).is_ok() {
                prop_assert!(lengths.len() + codings.len() <= 1);
                prop_assert!(lengths.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_digit())));
                prop_assert!(codings.iter().all(|text| text.eq_ignore_ascii_case("chunked")));
            }
        }
    }
}
