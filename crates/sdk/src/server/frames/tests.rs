use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1000;

fn encode(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        stream.push(0);
        stream.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend(message);
    }
    stream
}

fn split_all(splitter: &mut Splitter, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut messages = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(message) = splitter.split()? {
            messages.push(message.to_vec());
        }
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn messages_survive_any_chunking(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        sizes in prop::collection::vec(1..40_usize, 1..20),
    ) {
        let stream = encode(&messages);
        let mut rest = stream.as_slice();
        let mut chunks = Vec::new();
        for size in sizes.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let mut splitter = Splitter::new(LIMIT);
        prop_assert_eq!(split_all(&mut splitter, &chunks).unwrap(), messages);
        prop_assert!(splitter.is_empty());
    }
}

#[test]
fn a_cut_message_is_noticed() {
    let stream = encode(&[vec![1, 2, 3]]);
    let mut splitter = Splitter::new(LIMIT);
    assert!(
        split_all(&mut splitter, &[&stream[..stream.len() - 1]])
            .unwrap()
            .is_empty()
    );
    assert!(!splitter.is_empty());
}

#[test]
fn the_limit_is_inclusive() {
    assert!(split_all(&mut Splitter::new(LIMIT), &[&encode(&[vec![0; LIMIT]])]).is_ok());
    let error = split_all(&mut Splitter::new(LIMIT), &[&encode(&[vec![0; LIMIT + 1]])]).unwrap_err();
    assert!(
        error.to_string().contains("1001") && error.to_string().contains("1000"),
        "{error}"
    );
}

#[test]
fn compressed_messages_are_refused() {
    let error = split_all(&mut Splitter::new(LIMIT), &[&[1, 0, 0, 0, 0]]).unwrap_err();
    assert!(matches!(error, FrameError::Compressed));
}
