//! Takes a request's body into a file, piece by piece, within a limit.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;

use super::inside::Inside;
use super::refusal::{Code, Refusal};

/// How long a sender may pause.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says no to more than `limit` bytes of one request.
pub(crate) fn too_large(limit: u64) -> Refusal {
    let text =
        format!("more than {limit} bytes in one request; send a large file in parts with POST /uploads");
    Refusal::new(Code::FileTooLarge, text)
}

/// Writes the body into `file` and returns how much it was. `got` is told of each piece that is in the file.
pub(crate) async fn receive<S, E>(
    body: S,
    file: &mut tokio::fs::File,
    limit: u64,
    path: &Inside,
    mut got: impl FnMut(u64),
) -> Result<u64, Refusal>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut total: u64 = 0;
    loop {
        let piece = tokio::time::timeout(PATIENCE, body.next()).await.map_err(|_| {
            Refusal::new(Code::TimedOut, format!("{path}: nothing came for {} s", PATIENCE.as_secs()))
        })?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| {
            Refusal::new(Code::InvalidRequest, format!("{path}: the upload broke off: {error}"))
        })?;
        total = total.saturating_add(piece.len() as u64);
        if total > limit {
            return Err(too_large(limit));
        }
        file.write_all(&piece).await.map_err(|error| Refusal::io(&error, path))?;
        // A piece counts when it is in the file; the handle reports errors of a write with the next one.
        file.flush().await.map_err(|error| Refusal::io(&error, path))?;
        got(piece.len() as u64);
    }
    Ok(total)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pieces(pieces: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, String>> + use<> {
        let all: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        futures_util::stream::iter(all)
    }

    fn file() -> tokio::fs::File {
        tokio::fs::File::from_std(tempfile::tempfile().unwrap())
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_taken() {
        let mut count = 0;
        let total =
            receive(pieces(&[b"abc", b"de"]), &mut file(), 5, &Inside::root(), |n| count += n).await.unwrap();
        assert_eq!((total, count), (5, 5));
        let refusal =
            receive(pieces(&[b"abc", b"def"]), &mut file(), 5, &Inside::root(), |_| ()).await.unwrap_err();
        assert_eq!(refusal.code, Code::FileTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_nothing_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<Bytes, String>>();
        let begun = tokio::time::Instant::now();
        let refusal = receive(never, &mut file(), 5, &Inside::root(), |_| ()).await.unwrap_err();
        assert_eq!((refusal.code, begun.elapsed().as_secs()), (Code::TimedOut, 120));
    }
}
