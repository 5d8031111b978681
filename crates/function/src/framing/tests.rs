use proptest::prelude::*;
use prost::bytes::Bytes;

use super::*;

fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn drain(decoder: &mut Decoder) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| decoder.next(1 << 20).unwrap())
        .map(|message| message.to_vec())
        .collect()
}

proptest! {
    #[test]
    fn messages_survive_any_chunking(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..12),
        sizes in prop::collection::vec(1usize..300, 1..40),
    ) {
        let wire: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        let mut decoder = Decoder::default();
        let (mut rest, mut out, mut sizes) = (wire.as_slice(), Vec::new(), sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            rest = tail;
            decoder.push(Bytes::copy_from_slice(chunk));
            out.extend(drain(&mut decoder));
        }
        prop_assert_eq!(out, messages);
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn any_bytes_end_in_messages_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::from(bytes));
        while let Ok(Some(message)) = decoder.next(32) {
            prop_assert!(message.len() <= 32);
        }
    }
}

#[test]
fn a_message_within_one_chunk_is_not_copied() {
    let chunk = Bytes::from(frame(b"abc"));
    let address = chunk[PREFIX..].as_ptr();
    let mut decoder = Decoder::default();
    decoder.push(chunk);
    assert_eq!(decoder.next(10).unwrap().unwrap().as_ptr(), address);
}

#[test]
fn an_empty_message_is_a_message() {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from(frame(b"")));
    assert_eq!(decoder.next(10).unwrap(), Some(Bytes::new()));
    assert_eq!(decoder.next(10).unwrap(), None);
}

#[test]
fn a_message_at_the_limit_passes_and_one_above_is_refused_before_it_is_buffered() {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from(frame(&[1; 8])));
    decoder.push(Bytes::from_static(&[0, 0, 0, 0, 9]));
    assert_eq!(decoder.next(8).unwrap().unwrap().len(), 8);
    assert_eq!(
        decoder.next(8).unwrap_err(),
        Error::MessageTooLarge { limit: 8, actual: 9 }
    );
}

#[test]
fn a_compressed_message_is_refused() {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from_static(&[1, 0, 0, 0, 0]));
    assert!(decoder.next(8).unwrap_err().to_string().contains("compressed"));
}
