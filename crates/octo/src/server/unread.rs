//! What a client sends that nobody reads, as the body behind a request that was refused. To close a connection on it would
//! reset it, and the reset can take the answer back before the client has seen it: many send all before they read.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long at most a client is listened to whom nobody answers any more.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether something came on a connection that belongs to no request that was read to its end. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    pub(super) fn set(&self, unread: bool) {
        self.0.store(unread, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request's body that says whether it was read.
pub(super) struct Noted<B: Body> {
    body: B,
    unread: Unread,
    over: bool,
}

impl<B: Body> Noted<B> {
    pub(super) fn new(body: B, unread: Unread) -> Self {
        let over = body.is_end_stream();
        if over {
            unread.set(false);
        }
        Self { body, unread, over }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Noted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.over = true;
            self.unread.set(false);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body> Drop for Noted<B> {
    fn drop(&mut self) {
        if !self.over {
            self.unread.set(true);
        }
    }
}

/// Ends our half of a connection and lets by what comes on it, until the client ends its own or nothing comes for `silence`.
/// It keeps its places meanwhile.
pub(super) fn let_by<S, P>(mut stream: S, places: P, silence: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Send + 'static,
{
    // Without a runtime all is over.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let _places = places;
        let by = async {
            let _ = stream.shutdown().await;
            let mut buffer = vec![0; 4096];
            while let Ok(Ok(1..)) = timeout(silence, stream.read(&mut buffer)).await {}
        };
        let _ = timeout(LONGEST, by).await;
    });
}
