//! A connection whose other end must take what is sent to it. Without this, whoever asks for much and reads nothing holds a
//! place for ever.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::unread::{self, Unread};

/// The connection, and the places that it takes.
pub(super) struct Patient<S: Send + AsyncRead + AsyncWrite + Unpin + 'static, P: Send + 'static> {
    /// Until this is dropped.
    inner: Option<(S, P)>,
    patience: Duration,
    /// While nothing is taken.
    alarm: Option<Pin<Box<Sleep>>>,
    unread: Unread,
    linger: Duration,
}

impl<S: Send + AsyncRead + AsyncWrite + Unpin + 'static, P: Send + 'static> Patient<S, P> {
    /// Breaks off when nothing is taken for so long. Where `unread` says at the end that more was sent than was read, what
    /// still comes is let by, until nothing comes for `linger`.
    pub(super) const fn new(
        inner: S,
        patience: Duration,
        places: P,
        unread: Unread,
        linger: Duration,
    ) -> Self {
        Self { inner: Some((inner, places)), patience, alarm: None, unread, linger }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        let gone = io::ErrorKind::NotConnected;
        self.inner.as_mut().map(|(stream, _)| Pin::new(stream)).ok_or_else(|| gone.into())
    }

    fn judged<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.alarm = None;
            return polled;
        }
        let patience = self.patience;
        match self.alarm.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: Send + AsyncRead + AsyncWrite + Unpin + 'static, P: Send + Unpin + 'static> AsyncRead
    for Patient<S, P>
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.stream()?.poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = polled {
            // Nothing comes behind the end.
            self.unread.set(buffer.filled().len() > before);
        }
        polled
    }
}

impl<S: Send + AsyncRead + AsyncWrite + Unpin + 'static, P: Send + Unpin + 'static> AsyncWrite
    for Patient<S, P>
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.stream()?.poll_write(context, bytes);
        self.judged(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self.stream()?.poll_write_vectored(context, pieces);
        self.judged(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

impl<S: Send + AsyncRead + AsyncWrite + Unpin + 'static, P: Send + 'static> Drop for Patient<S, P> {
    fn drop(&mut self) {
        if let Some((stream, places)) = self.inner.take().filter(|_| self.unread.get()) {
            unread::let_by(stream, places, self.linger);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(120);

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_left() {
        let (ours, _theirs) = duplex(1000);
        let mut ours = Patient::new(ours, PATIENCE, (), Unread::default(), PATIENCE);
        let begun = Instant::now();
        let error = ours.write_all(&[0; 2000]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_little_by_little_is_not() {
        let (ours, mut theirs) = duplex(1000);
        let mut ours = Patient::new(ours, PATIENCE, (), Unread::default(), PATIENCE);
        let taking = async {
            let mut piece = [0; 500];
            for _ in 0..10 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 5000]), taking);
        written.unwrap();
    }
}
