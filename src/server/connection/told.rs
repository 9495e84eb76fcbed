//! What a connection tells its caller of errors: HTTP/2 in this process ends connections and
//! streams by itself, and says so to nobody but the caller. So its frames are read as they are
//! written.

use std::sync::Arc;

use crate::connections::{Connections, Http2Error, Scope};

/// The head of a frame (RFC 9113, 4.1).
const HEAD: usize = 9;

/// As much as is read of a frame: of GOAWAY, the last stream and the error.
const LONGEST: usize = HEAD + 8;

/// Types of frames (RFC 9113, 6).
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

/// Reads the frames that are written on a connection, and counts the errors in them.
#[derive(Debug)]
pub(super) struct Told {
    connections: Arc<Connections>,
    read: [u8; LONGEST],
    /// How much of `read` is there.
    len: usize,
    /// How much of the frame is still to come, and is nothing to read.
    rest: usize,
}

impl Told {
    /// Counts there.
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, read: [0; LONGEST], len: 0, rest: 0 }
    }

    /// Sees what was written next.
    pub(super) fn written(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = &bytes[skipped..];
            let taken = (self.wanted() - self.len).min(bytes.len());
            self.read[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
            self.len += taken;
            bytes = &bytes[taken..];
            if self.len >= HEAD && self.len == self.wanted() {
                self.count();
                self.rest = self.payload() - (self.len - HEAD);
                self.len = 0;
            }
        }
    }

    /// How much has to be read of this frame, as far as is known.
    fn wanted(&self) -> usize {
        if self.len < HEAD {
            return HEAD;
        }
        let wanted = match self.read[3] {
            RST_STREAM => 4,
            GOAWAY => 8,
            _ => 0,
        };
        HEAD + wanted.min(self.payload())
    }

    fn payload(&self) -> usize {
        self.read[..3].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
    }

    fn count(&self) {
        let (scope, code) = match (self.read[3], &self.read[HEAD..self.len]) {
            (RST_STREAM, code) => (Scope::Stream, code),
            (GOAWAY, [_, _, _, _, code @ ..]) => (Scope::Connection, code),
            _ => return,
        };
        let Some(code) = code.first_chunk() else { return };
        if let Some(error) = Http2Error::of(u32::from_be_bytes(*code)) {
            self.connections.count_error(scope, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0], &1u32.to_be_bytes(), payload].concat()
    }

    fn goaway(error: u32) -> Vec<u8> {
        frame(GOAWAY, &[&1u32.to_be_bytes()[..], &error.to_be_bytes(), b"why"].concat())
    }

    #[test]
    fn errors_are_counted_however_the_bytes_are_cut() {
        let told = [
            frame(4, &[0; 18]),
            frame(RST_STREAM, &7u32.to_be_bytes()),
            frame(0, &[RST_STREAM; 70_000]),
            // In good order.
            frame(RST_STREAM, &0u32.to_be_bytes()),
            goaway(0),
            frame(1, &[]),
            goaway(11),
            // An error that there is not.
            goaway(99),
            frame(RST_STREAM, &7u32.to_be_bytes()),
        ]
        .concat();
        for size in [1, 2, 3, 8, 9, 10, 13, 1000, told.len()] {
            let connections = Arc::new(Connections::default());
            let mut reader = Told::new(Arc::clone(&connections));
            told.chunks(size).for_each(|part| reader.written(part));
            let of = |scope, error| connections.errors(scope, error);
            assert_eq!(of(Scope::Stream, Http2Error::RefusedStream), 2, "{size}");
            assert_eq!(of(Scope::Connection, Http2Error::EnhanceYourCalm), 1, "{size}");
            let all = Scope::ALL
                .into_iter()
                .flat_map(|scope| Http2Error::ALL.map(|error| connections.errors(scope, error)));
            assert_eq!(all.sum::<u64>(), 3, "{size}");
        }
    }

    #[test]
    fn a_frame_that_is_shorter_than_it_may_be_is_passed_over() {
        let connections = Arc::new(Connections::default());
        let mut reader = Told::new(Arc::clone(&connections));
        reader.written(&[frame(GOAWAY, &[]), frame(RST_STREAM, &[1]), goaway(1)].concat());
        assert_eq!(connections.errors(Scope::Connection, Http2Error::ProtocolError), 1);
    }
}
