use std::collections::VecDeque;

use http_body::Frame;
use proptest::prelude::*;

use super::super::encoding;
use super::*;

/// A body that arrives in the given pieces.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn cut(bytes: &[u8], lengths: &[usize]) -> Pieces {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut pieces: VecDeque<Bytes> = lengths
        .iter()
        .map(|length| rest.split_to((*length).min(rest.len())))
        .collect();
    pieces.push_back(rest);
    Pieces(pieces)
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.push(0);
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
    }
    bytes
}

fn read_all(body: Pieces, encoding: Encoding, limit: usize) -> Result<Vec<Vec<u8>>, Status> {
    let mut messages = Messages::new(body, encoding, limit);
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut read = Vec::new();
    loop {
        match messages.poll_next(&mut context) {
            Poll::Ready(None) => return Ok(read),
            Poll::Ready(Some(message)) => read.push(message?.to_vec()),
            Poll::Pending => panic!("the body is always ready"),
        }
    }
}

fn only(bytes: &[u8]) -> Result<Bytes, Status> {
    let mut messages = Messages::new(cut(bytes, &[]), Encoding::Identity, 100);
    let mut only = std::pin::pin!(messages.only());
    match only
        .as_mut()
        .poll(&mut Context::from_waker(std::task::Waker::noop()))
    {
        Poll::Ready(message) => message,
        Poll::Pending => panic!("the body is always ready"),
    }
}

proptest! {
    #[test]
    fn messages_survive_any_cut(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        lengths in prop::collection::vec(0usize..12, 0..60),
    ) {
        let read = read_all(cut(&framed(&messages), &lengths), Encoding::Identity, 40).unwrap();
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_exceed_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        lengths in prop::collection::vec(0usize..12, 0..40),
        gzip in any::<bool>(),
    ) {
        let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
        if let Ok(read) = read_all(cut(&bytes, &lengths), encoding, 16) {
            prop_assert!(read.iter().all(|message| message.len() <= 16));
        }
    }

    #[test]
    fn gzip_messages_survive(message in prop::collection::vec(any::<u8>(), 0..300), lengths in prop::collection::vec(0usize..50, 0..8)) {
        let mut bytes = framed(&[encoding::gzip(&message).unwrap().to_vec()]);
        bytes[0] = 1;
        let read = read_all(cut(&bytes, &lengths), Encoding::Gzip, 1000).unwrap();
        prop_assert_eq!(read, vec![message]);
    }

    #[test]
    fn a_truncated_message_is_an_error(length in 1usize..20, missing in 1usize..20) {
        let bytes = framed(&[vec![7; length]]);
        let kept = &bytes[..bytes.len().saturating_sub(missing).max(1)];
        let error = read_all(cut(kept, &[]), Encoding::Identity, 100).unwrap_err();
        prop_assert_eq!(error.code, Code::Internal);
    }
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_prefix() {
    let error = read_all(cut(&[0, 0, 0, 0, 101], &[]), Encoding::Identity, 100).unwrap_err();
    assert_eq!(error.code, Code::ResourceExhausted);
    assert_eq!(
        error.message,
        "the request message has 101 bytes, more than the limit of 100 bytes"
    );
}

#[test]
fn a_small_message_that_unpacks_over_the_limit_is_refused() {
    let bomb = encoding::gzip(&vec![0; 100_000]).unwrap();
    let mut bytes = framed(&[bomb.to_vec()]);
    bytes[0] = 1;
    let error = read_all(cut(&bytes, &[]), Encoding::Gzip, 1000).unwrap_err();
    assert_eq!(error.code, Code::ResourceExhausted);
}

#[test]
fn flags_must_fit_the_encoding() {
    for flag in [1, 2, 255] {
        let error = read_all(cut(&[flag, 0, 0, 0, 0], &[]), Encoding::Identity, 100).unwrap_err();
        assert_eq!(error.code, Code::Internal, "flag {flag}");
    }
}

#[test]
fn a_unary_request_has_exactly_one_message() {
    assert_eq!(only(&framed(&[vec![1, 2]])).unwrap(), &[1, 2][..]);
    assert_eq!(only(&framed(&[vec![]])).unwrap(), &[][..]);
    assert_eq!(only(&[]).unwrap_err().code, Code::Unimplemented);
    assert_eq!(
        only(&framed(&[vec![1], vec![2]])).unwrap_err().code,
        Code::Unimplemented
    );
}
