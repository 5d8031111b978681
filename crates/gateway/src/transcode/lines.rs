//! Cuts a stream of bytes into lines.

use bytes::{Bytes, BytesMut};

/// Cuts chunks of a body into lines of bounded length, numbered from 1. A line that lies wholly within a chunk is a slice of
/// it.
///
/// ```
/// use cloudstate_gateway::LineSplitter;
///
/// let mut lines = LineSplitter::new(100);
/// lines.push("a\nb".into());
/// assert_eq!(lines.next_line(), Ok(Some("a".into())));
/// assert_eq!(lines.next_line(), Ok(None));
/// lines.push("c\r\n\nd".into());
/// assert_eq!(lines.next_line(), Ok(Some("bc\r".into())));
/// assert_eq!(lines.next_line(), Ok(Some("".into())));
/// assert_eq!(lines.next_line(), Ok(None));
/// assert_eq!(lines.finish(), Some("d".into()));
/// assert_eq!(lines.number(), 4);
/// ```
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    /// The chunk that arrived last, without the lines that were taken.
    chunk: Bytes,
    /// The beginning of a line that spans chunks.
    partial: BytesMut,
    /// The number of the line taken last.
    number: usize,
}

/// A line over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {number} of the request has more than the limit of {limit} bytes")]
pub struct LineTooLong {
    /// Its number, from 1.
    pub number: usize,
    /// The limit, without the line break.
    pub limit: usize,
}

impl LineSplitter {
    /// Takes lines of at most `limit` bytes, not counting the line break.
    pub fn new(limit: usize) -> Self {
        LineSplitter {
            limit,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            number: 0,
        }
    }

    /// Gives the next chunk. Only when [`next_line`](Self::next_line) found none: lines that were not taken are lost.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "only an exhausted chunk is replaced");
        self.chunk = chunk;
    }

    /// The next whole line, without its `\n`; a `\r` before it stays. `None` asks for another chunk.
    ///
    /// # Errors
    /// If the line is over the limit, ended or not. Afterwards the splitter is useless.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        let end = self.chunk.iter().position(|byte| *byte == b'\n');
        let rest = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
        if self.partial.len() + rest.len() > self.limit {
            return Err(LineTooLong {
                number: self.number + 1,
                limit: self.limit,
            });
        }
        if end.is_none() {
            self.partial.extend_from_slice(&rest);
            return Ok(None);
        }
        let _line_break = self.chunk.split_to(1);
        Ok(Some(self.take(rest)))
    }

    /// The last line, if the stream did not end with a line break.
    pub fn finish(&mut self) -> Option<Bytes> {
        (!self.partial.is_empty()).then(|| self.take(Bytes::new()))
    }

    /// The number of the line that was taken last, from 1; 0 before the first.
    pub fn number(&self) -> usize {
        self.number
    }

    fn take(&mut self, rest: Bytes) -> Bytes {
        self.number += 1;
        if self.partial.is_empty() {
            return rest;
        }
        self.partial.extend_from_slice(&rest);
        self.partial.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]], limit: usize) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut splitter = LineSplitter::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(line) = splitter.next_line()? {
                lines.push(line.to_vec());
                assert_eq!(splitter.number(), lines.len());
            }
        }
        lines.extend(splitter.finish().map(|line| line.to_vec()));
        Ok(lines)
    }

    proptest! {
        #[test]
        fn lines_survive_any_cut(lines in prop::collection::vec("[a-c\r]{0,6}", 0..8), size in 1usize..9, ended in any::<bool>()) {
            let mut text = lines.join("\n");
            let mut expected: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
            if ended && !lines.is_empty() {
                text.push('\n');
            } else if expected.last().is_some_and(Vec::is_empty) {
                // Nothing after the last line break is no line.
                expected.pop();
            }
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(split(&chunks, 6), Ok(expected));
        }

        #[test]
        fn cuts_never_change_the_outcome(text in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..60), size in 1usize..9, limit in 0usize..12) {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(split(&chunks, limit), split(&[&text], limit));
        }
    }

    #[test]
    fn a_line_over_the_limit_is_named_before_it_ends() {
        let error = split(&[b"abc\nabcd"], 3).unwrap_err();
        assert_eq!((error.number, error.limit), (2, 3));
        assert_eq!(split(&[b"abc\r\n"], 3).unwrap_err().number, 1);
        assert_eq!(split(&[b"abc\nabc"], 3).unwrap().len(), 2);
    }
}
