//! The bytes below a WebSocket: plain or encrypted, and when the last of them came. One type for every source, since
//! the WebSocket's code comes once more with each.
//!
//! No read goes beyond the end of a frame. So after a message everything that the WebSocket read is in that message,
//! and the WebSocket can be exchanged for one with fresh buffers.

use super::bounds::Bounds;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// A connection to the server.
pub(super) struct Stream {
    way: Way,
    heard: Instant,
    bounds: Bounds,
}

enum Way {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
    /// It was taken away; nobody reads or writes here any more.
    Gone,
}

impl Stream {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::new(Way::Plain(stream))
    }

    pub(super) fn encrypted(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Way::Encrypted(Box::new(stream)))
    }

    fn new(way: Way) -> Self {
        Self { way, heard: Instant::now(), bounds: Bounds::new() }
    }

    /// Takes the connection out of a WebSocket that is given up, if nothing of a frame has been read that is not whole.
    pub(super) fn take(&mut self) -> Option<Self> {
        self.bounds.are_between().then(|| std::mem::replace(self, Self::new(Way::Gone)))
    }

    /// For how long nothing came.
    pub(super) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let most = this.bounds.most().min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let polled = match &mut this.way {
            Way::Plain(stream) => Pin::new(stream).poll_read(cx, &mut part),
            Way::Encrypted(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut part),
            Way::Gone => Poll::Ready(Ok(())),
        };
        let read = part.filled();
        if !read.is_empty() {
            this.heard = Instant::now();
            this.bounds.take(read);
        }
        let count = read.len();
        buffer.advance(count);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Way::Encrypted(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
            Way::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Way::Encrypted(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Way::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Way::Encrypted(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Way::Gone => Poll::Ready(Ok(())),
        }
    }
}
