//! Request messages from JSON texts.

use std::io::{self, Read};

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use serde_json::Deserializer;
use tokio::sync::mpsc;

use crate::grpc::from_json;

/// Messages read ahead of what the connection takes.
const AHEAD: usize = 16;

/// The messages in a text, in order, each encoded.
pub(super) fn of_text(descriptor: &MessageDescriptor, text: &str) -> Result<Vec<Bytes>, String> {
    values(text.as_bytes(), descriptor).collect()
}

/// The messages on standard input, as they come. The sender's thread ends with the input or when nobody takes them.
pub(super) fn of_stdin(descriptor: MessageDescriptor) -> mpsc::Receiver<Result<Bytes, String>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        for message in values(io::stdin().lock(), &descriptor) {
            let failed = message.is_err();
            if sender.blocking_send(message).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn values(source: impl Read, descriptor: &MessageDescriptor) -> impl Iterator<Item = Result<Bytes, String>> {
    Deserializer::from_reader(source)
        .into_iter::<serde_json::Value>()
        .enumerate()
        .map(|(index, value)| {
            let number = index + 1;
            let value = value.map_err(|error| format!("request {number}: not valid JSON: {error}"))?;
            from_json(descriptor, &value).map_err(|error| format!("request {number}: {error}"))
        })
}
