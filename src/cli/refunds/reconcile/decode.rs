//! A file as UTF-8 text with lines that end alike.

use std::io::{self, Read};

use clap::ValueEnum;
use encoding_rs::{Decoder, GB18030, UTF_8};

/// So much is read at once, in bytes.
const AT_ONCE: usize = 1 << 16;

/// What a statement is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Encoding {
    /// UTF-8.
    #[value(name = "utf-8", alias = "utf8")]
    Utf8,
    /// GB18030, and so GBK and GB2312, which are parts of it.
    #[value(name = "gb18030", alias = "gbk")]
    Gb18030,
}

impl Encoding {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
        }
    }
}

/// Reads a file as UTF-8, each line of it ended by a line feed, the last one, too. A byte-order
/// mark is believed and left out. What cannot be read becomes U+FFFD.
pub(super) struct Decoded<R> {
    from: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    after_return: bool,
    /// The last byte that was decoded.
    last: Option<u8>,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(from: R, encoding: Encoding) -> Self {
        let encoding = match encoding {
            Encoding::Utf8 => UTF_8,
            Encoding::Gb18030 => GB18030,
        };
        Self {
            from,
            decoder: encoding.new_decoder(),
            raw: vec![0; AT_ONCE],
            text: Vec::new(),
            given: 0,
            after_return: false,
            last: None,
            ended: false,
        }
    }

    /// Decodes some more, or ends.
    fn fill(&mut self) -> io::Result<()> {
        let read = self.from.read(&mut self.raw)?;
        let mut decoded = String::new();
        let longest = self.decoder.max_utf8_buffer_length(read).unwrap_or(read * 3 + 16);
        decoded.reserve(longest);
        let raw = self.raw.get(..read).unwrap_or_default();
        // So much room is enough for all of it.
        let _ = self.decoder.decode_to_string(raw, &mut decoded, read == 0);
        self.text.clear();
        self.given = 0;
        for byte in decoded.bytes() {
            self.take(byte);
        }
        if read == 0 {
            self.ended = true;
            if self.last.is_some_and(|last| last != b'\n') {
                self.text.push(b'\n');
            }
        }
        Ok(())
    }

    fn take(&mut self, byte: u8) {
        let second_half = self.after_return && byte == b'\n';
        self.after_return = byte == b'\r';
        if second_half {
            return;
        }
        let byte = if byte == b'\r' { b'\n' } else { byte };
        self.last = Some(byte);
        self.text.push(byte);
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.text.len() && !self.ended {
            self.fill()?;
        }
        let left = self.text.get(self.given..).unwrap_or_default();
        let count = left.len().min(into.len());
        for (into, byte) in into.iter_mut().zip(left) {
            *into = *byte;
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let [first, rest @ ..] = self.0 else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn lines_end_alike_and_what_is_read_does_not_depend_on_how_it_comes() {
        let table: [(&[u8], Encoding, &str); 8] = [
            (b"", Encoding::Utf8, ""),
            (b"a\r\nb\rc\n\nd", Encoding::Utf8, "a\nb\nc\n\nd\n"),
            (b"\xef\xbb\xbfa\n", Encoding::Utf8, "a\n"),
            (b"\xef\xbb\xbf\xe9\x80\x80\n", Encoding::Gb18030, "退\n"),
            (b"\xff\xfea\0\n\0", Encoding::Utf8, "a\n"),
            (b"\xcd\xcb\xbf\xee,1\r\n", Encoding::Gb18030, "退款,1\n"),
            (b"\x95\x32\x82\x36", Encoding::Gb18030, "𠀀\n"),
            (b"\xcd\xcb", Encoding::Utf8, "\u{fffd}\u{fffd}\n"),
        ];
        for (bytes, encoding, expected) in table {
            for read in [
                io::read_to_string(Decoded::new(bytes, encoding)),
                io::read_to_string(Decoded::new(Slow(bytes), encoding)),
            ] {
                assert_eq!(read.unwrap(), expected, "{bytes:?}");
            }
        }
    }
}
