//! The sample of CRDT entities, as a client sees it.

use bytes::Bytes;
use cloudstate_crdt::{Any, Author, Change, Limits, NodeId, SetChange, State};
use prost::Message;

use crate::wire;

/// Path of `UpdatePNCounter`.
pub const UPDATE: &str = "/com.example.crdts.CrdtExample/UpdatePNCounter";
/// Path of `GetPNCounter`.
pub const GET: &str = "/com.example.crdts.CrdtExample/GetPNCounter";
/// Path of `MutateORSet`.
pub const MUTATE: &str = "/com.example.crdts.CrdtExample/MutateORSet";
/// Path of `Connect`.
pub const CONNECT: &str = "/com.example.crdts.CrdtExample/Connect";
/// Path of `Monitor`.
pub const MONITOR: &str = "/com.example.crdts.CrdtExample/Monitor";

#[derive(Clone, PartialEq, Message)]
struct UpdateCounter {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(int64, tag = "2")]
    value: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    key: String,
}

#[derive(Clone, PartialEq, Message)]
struct MutateSet {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, repeated, tag = "4")]
    add: Vec<SomeValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SomeValue {
    #[prost(string, tag = "1")]
    key: String,
}

#[derive(Clone, PartialEq, Message)]
struct OnlineStatus {
    #[prost(bool, tag = "1")]
    online: bool,
}

/// A frame that adds one to a counter.
pub fn update(key: String) -> Bytes {
    wire::frame(&UpdateCounter { key, value: 1 })
}

/// A frame that asks for a counter, or that names a user.
pub fn named(key: &str) -> Bytes {
    wire::frame(&Named { key: key.to_owned() })
}

/// A message of [`MONITOR`].
///
/// # Errors
/// The bytes are no such message.
pub fn read_online(message: Bytes) -> Result<bool, prost::DecodeError> {
    Ok(OnlineStatus::decode(message)?.online)
}

/// A frame that adds element number `n` to a set.
pub fn add(key: &str, n: usize) -> Bytes {
    let key = key.to_owned();
    wire::frame(&MutateSet {
        key,
        add: vec![element(n)],
    })
}

fn element(n: usize) -> SomeValue {
    SomeValue {
        key: format!("element {n}"),
    }
}

/// Bytes of the whole state of a set with so many elements, added one after the other by one node.
///
/// # Errors
/// It does not fit.
pub fn set_state_bytes(elements: usize) -> Result<usize, cloudstate_crdt::Error> {
    let mut state = State::new();
    let node = NodeId::new(1, 1);
    for n in 0..elements {
        let value = element(n).encode_to_vec();
        let added = Any::new("type.googleapis.com/com.example.crdts.SomeValue", value);
        let change = Change::ORSet(SetChange {
            added: vec![added],
            ..SetChange::default()
        });
        state.apply(&change, Author { node, now_ms: 0 }, &Limits::default())?;
    }
    Ok(state.encode().len())
}
