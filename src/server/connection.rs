//! A connection as it is served: its preface is read already, and is read once more by HTTP/2.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

mod told;

use crate::connections::Connections;
use crate::peer::Peer;
use crate::places::Place;
use told::Told;

/// What a client says first on HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What came instead of the preface.
#[derive(Debug)]
pub(super) enum NoPreface {
    /// Something else.
    Other,
    /// Nothing, or not all of it: the caller left.
    Left,
}

/// With TLS, or without.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads the preface and nothing after it, up to the first byte that is wrong.
    pub(super) async fn preface(&mut self) -> Result<(), NoPreface> {
        let mut rest = PREFACE;
        let mut buffer = [0; PREFACE.len()];
        while !rest.is_empty() {
            let read = match self.read(&mut buffer[..rest.len()]).await {
                Ok(0) | Err(_) => return Err(NoPreface::Left),
                Ok(read) => read,
            };
            rest = rest.strip_prefix(&buffer[..read]).ok_or(NoPreface::Other)?;
        }
        Ok(())
    }
}

/// A connection with a place, until it ends or is cut.
#[derive(Debug)]
pub(super) struct Connection {
    // Before the place, so that it is closed when the place is free.
    stream: Stream,
    /// What HTTP/2 has not read yet of the preface.
    preface: &'static [u8],
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    told: Told,
    peer: Peer,
    _place: Place,
}

impl Connection {
    /// One whose preface was read. The errors that its caller is told are counted.
    pub(super) fn new(
        stream: Stream,
        peer: Peer,
        place: Place,
        cut: &CancellationToken,
        errors: Arc<Connections>,
    ) -> Self {
        // A token of its own: they are polled at every read and write, and would all wait for
        // the same lock.
        let cut = Box::pin(cut.child_token().cancelled_owned());
        Self { stream, preface: PREFACE, cut, told: Told::new(errors), peer, _place: place }
    }

    /// Fails once the connection is cut.
    fn whole(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole(cx)?;
        if !self.preface.is_empty() {
            let (now, later) = self.preface.split_at(self.preface.len().min(buf.remaining()));
            buf.put_slice(now);
            self.preface = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole(cx)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.told.written(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole(cx)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            self.told.written(&buf[..part]);
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The same on whichever stream it is.
macro_rules! either {
    ($stream:expr, $it:ident => $do:expr) => {
        match $stream {
            Stream::Plain($it) => $do,
            Stream::Tls($it) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), it => Pin::new(it).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), it => Pin::new(it).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), it => Pin::new(it).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), it => Pin::new(it).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), it => Pin::new(it).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, it => it.is_write_vectored())
    }
}
