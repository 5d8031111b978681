//! The encoding of states and deltas, version 1. Equal ones have equal bytes, and only those bytes are read.
//!
//! ```text
//!   1 byte    version
//!   1 byte    's' state, 'd' delta
//!   context   n, then for each node, sorted:
//!               address (8 bytes, little endian), generation,
//!               upto, n ranges beyond: gap before it − 1, length − 1
//!   slot      (n variants × 2) + swept, then for each variant, by kind:
//!               kind + 128 if it has a presence, [dots], content
//!
//!   dots      n, then for each, sorted: node (its place in the context), sequence, payload
//!   content   by kind  GCounter, PNCounter, Vote
//!                                            dots; payload: folded, sum (zigzag)
//!                      GSet, ORSet           n, then for each element, sorted: any, dots
//!                      LWWRegister           dots; payload: timestamp (zigzag), any
//!                      Flag                  dots
//!                      ORMap                 n, then for each key, sorted: any, slot
//!   any       length of the URL + 1, URL; or 0 for the URL of the any before it (the first: the empty one)
//!             length of the value, value
//! ```
//!
//! Numbers are base 128, low bits first, in as few bytes as they need. In a state nothing is swept and nothing is empty but the
//! root of what does not exist yet. Every write has to be in the context.

mod read;
mod write;

use xxhash_rust::xxh3::xxh3_64;

use crate::context::Context;
use crate::error::DecodeError;
use crate::limits::Limits;
use crate::slot::Slot;
use crate::state::{Delta, State};

const VERSION: u8 = 1;

/// What an encoding is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    State = b's' as isize,
    Delta = b'd' as isize,
}

impl State {
    /// The state as bytes. Equal states have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(Form::State, &self.context, &self.root)
    }

    /// Reads what [`State::encode`] wrote.
    ///
    /// # Errors
    /// If it is anything else, or beyond a limit. Memory use stays in proportion to the length of `bytes`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<State, DecodeError> {
        let (context, root) = read::decode(Form::State, bytes, limits)?;
        Ok(State { context, root })
    }

    /// XXH3-64 of the encoding: replicas that differ have different digests, but for one in 2⁶⁴.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.encode())
    }
}

impl Delta {
    /// The delta as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(Form::Delta, &self.context, &self.root)
    }

    /// Reads what [`Delta::encode`] wrote.
    ///
    /// # Errors
    /// As [`State::decode`].
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Delta, DecodeError> {
        let (context, root) = read::decode(Form::Delta, bytes, limits)?;
        Ok(Delta { context, root })
    }
}

fn encode(form: Form, context: &Context, root: &Slot) -> Vec<u8> {
    let mut bytes = vec![VERSION, form as u8];
    write::Output::new(&mut bytes, context).tree(root);
    bytes
}
