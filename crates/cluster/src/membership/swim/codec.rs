//! SWIM packets in protobuf, so that fields can be added.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};
use prost::Message as _;

use super::identity::Identity;
use crate::node::Node;
use crate::wire::{self, Lacks, SwimKind};

#[derive(Clone, Copy)]
pub(super) struct Codec;

/// A packet that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the packet is full")]
    Full,
    #[error(transparent)]
    Lacks(#[from] Lacks),
    #[error("a packet of a peer is malformed: {0}")]
    Malformed(#[from] prost::DecodeError),
}

impl foca::Codec<Identity> for Codec {
    type Error = Error;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<(), Error> {
        let (kind, probe, other) = parts(&header.message);
        let header = wire::SwimHeader {
            from: Some(identity(&header.src)),
            incarnation: header.src_incarnation.into(),
            to: Some(identity(&header.dst)),
            kind: kind.into(),
            probe: probe.into(),
            other: other.map(identity),
        };
        encode(&header, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, Error> {
        let header = wire::SwimHeader::decode_length_delimited(buf)?;
        let message = message(&header)?;
        Ok(Header {
            src: node(header.from)?,
            src_incarnation: small(header.incarnation)?,
            dst: node(header.to)?,
            message,
        })
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<(), Error> {
        let member = wire::SwimMember {
            identity: Some(identity(member.id())),
            incarnation: member.incarnation().into(),
            state: match member.state() {
                State::Alive => 0,
                State::Suspect => 1,
                State::Down => 2,
            },
        };
        encode(&member, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Identity>, Error> {
        let member = wire::SwimMember::decode_length_delimited(buf)?;
        let state = match member.state {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            _ => return Err(Lacks("member state").into()),
        };
        Ok(Member::new(
            node(member.identity)?,
            small(member.incarnation)?,
            state,
        ))
    }
}

/// Writes all or nothing.
fn encode(message: &impl prost::Message, mut buf: impl BufMut) -> Result<(), Error> {
    let length = message.encoded_len();
    if buf.remaining_mut() < length + prost::length_delimiter_len(length) {
        return Err(Error::Full);
    }
    message.encode_length_delimited(&mut buf).map_err(|_| Error::Full)
}

fn identity(identity: &Identity) -> wire::SwimIdentity {
    wire::SwimIdentity {
        node: Some(wire::Node::from(&*identity.node)),
        life: identity.life,
    }
}

fn node(identity: Option<wire::SwimIdentity>) -> Result<Identity, Lacks> {
    let identity = identity.ok_or(Lacks("identity"))?;
    let node = Node::try_from(identity.node.ok_or(Lacks("node"))?)?;
    Ok(Identity {
        node: Arc::new(node),
        life: identity.life,
    })
}

fn small<T: TryFrom<u32>>(number: u32) -> Result<T, Lacks> {
    T::try_from(number).map_err(|_| Lacks("small number"))
}

fn parts(message: &Message<Identity>) -> (SwimKind, u8, Option<&Identity>) {
    match message {
        Message::Ping(probe) => (SwimKind::Ping, *probe, None),
        Message::Ack(probe) => (SwimKind::Ack, *probe, None),
        Message::PingReq { target, probe_number } => (SwimKind::PingRequest, *probe_number, Some(target)),
        Message::IndirectPing { origin, probe_number } => {
            (SwimKind::IndirectPing, *probe_number, Some(origin))
        }
        Message::IndirectAck { target, probe_number } => (SwimKind::IndirectAck, *probe_number, Some(target)),
        Message::ForwardedAck { origin, probe_number } => {
            (SwimKind::ForwardedAck, *probe_number, Some(origin))
        }
        Message::Announce => (SwimKind::Announce, 0, None),
        Message::Feed => (SwimKind::Feed, 0, None),
        Message::Gossip => (SwimKind::Gossip, 0, None),
        Message::Broadcast => (SwimKind::Broadcast, 0, None),
        Message::TurnUndead => (SwimKind::TurnUndead, 0, None),
    }
}

fn message(header: &wire::SwimHeader) -> Result<Message<Identity>, Lacks> {
    let probe_number = small(header.probe)?;
    let other = || node(header.other.clone());
    let kind = SwimKind::try_from(header.kind).map_err(|_| Lacks("kind of SWIM message"))?;
    Ok(match kind {
        SwimKind::Ping => Message::Ping(probe_number),
        SwimKind::Ack => Message::Ack(probe_number),
        SwimKind::PingRequest => Message::PingReq {
            target: other()?,
            probe_number,
        },
        SwimKind::IndirectPing => Message::IndirectPing {
            origin: other()?,
            probe_number,
        },
        SwimKind::IndirectAck => Message::IndirectAck {
            target: other()?,
            probe_number,
        },
        SwimKind::ForwardedAck => Message::ForwardedAck {
            origin: other()?,
            probe_number,
        },
        SwimKind::Announce => Message::Announce,
        SwimKind::Feed => Message::Feed,
        SwimKind::Gossip => Message::Gossip,
        SwimKind::Broadcast => Message::Broadcast,
        SwimKind::TurnUndead => Message::TurnUndead,
    })
}

#[cfg(test)]
mod tests {
    use cloudstate_crdt::NodeId;
    use foca::Codec as _;

    use super::*;

    fn id(name: &str) -> Identity {
        let node = Node {
            id: NodeId::new(Node::address_of(name), 3),
            name: name.to_owned(),
            endpoint: format!("{name}:2552"),
            version: String::new(),
            zone: String::new(),
        };
        Identity {
            node: Arc::new(node),
            life: 5,
        }
    }

    #[test]
    fn every_message_survives_the_wire() {
        let (target, origin, probe_number) = (id("t"), id("o"), 200);
        let messages = [
            Message::Ping(1),
            Message::Ack(255),
            Message::PingReq {
                target: target.clone(),
                probe_number,
            },
            Message::IndirectPing {
                origin: origin.clone(),
                probe_number,
            },
            Message::IndirectAck { target, probe_number },
            Message::ForwardedAck { origin, probe_number },
            Message::Announce,
            Message::Feed,
            Message::Gossip,
            Message::Broadcast,
            Message::TurnUndead,
        ];
        for message in messages {
            let header = Header {
                src: id("a"),
                src_incarnation: 65_535,
                dst: id("b"),
                message,
            };
            let mut bytes = Vec::new();
            Codec.encode_header(&header, &mut bytes).unwrap();
            bytes.push(9);
            let mut rest = &bytes[..];
            assert_eq!(Codec.decode_header(&mut rest).unwrap(), header);
            assert_eq!(rest, [9], "one header is read, and no more");
        }
    }

    #[test]
    fn a_member_that_does_not_fit_leaves_nothing_behind() {
        let member = Member::new(id("a"), 1, State::Suspect);
        let mut bytes = Vec::new();
        Codec.encode_member(&member, &mut bytes).unwrap();
        assert_eq!(Codec.decode_member(&bytes[..]).unwrap(), member);
        let mut short = vec![0; bytes.len() - 1];
        let refused = Codec.encode_member(&member, &mut short[..]);
        assert!(matches!(refused, Err(Error::Full)));
        assert!(short.iter().all(|byte| *byte == 0));
    }
}
