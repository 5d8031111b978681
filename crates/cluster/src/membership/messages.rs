//! What membership says between nodes, and its form on the wire.

use std::sync::Arc;

use bytes::Bytes;

use super::decision::{Ask, Ballot, Vote};
use super::view::View;
use crate::wire::{self, Lacks, message::Body};

/// A message about membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A packet of SWIM.
    Swim(Bytes),
    /// The sender wants to leave.
    Leaving,
    /// About the view that follows the sender's.
    Ask(Ask),
    /// A view that was decided.
    Decided(Arc<View>),
}

impl From<&Message> for Body {
    fn from(message: &Message) -> Self {
        match message {
            Message::Swim(packet) => Body::Swim(packet.clone()),
            Message::Leaving => Body::Leaving(wire::Leaving {}),
            Message::Decided(view) => Body::Decided((&**view).into()),
            Message::Ask(Ask::Prepare(ballot)) => Body::Prepare(wire::Prepare {
                ballot: Some((*ballot).into()),
            }),
            Message::Ask(Ask::Promise(ballot, vote)) => Body::Promise(wire::Promise {
                ballot: Some((*ballot).into()),
                accepted: vote.as_ref().map(|(ballot, _)| (*ballot).into()),
                view: vote.as_ref().map(|(_, view)| (&**view).into()),
            }),
            Message::Ask(Ask::Accept(ballot, view)) => Body::Accept(wire::Accept {
                ballot: Some((*ballot).into()),
                view: Some((&**view).into()),
            }),
            Message::Ask(Ask::Refused(ballot)) => Body::Refused(wire::Refused {
                ballot: Some((*ballot).into()),
            }),
            Message::Ask(Ask::Accepted(ballot)) => Body::Accepted(wire::Accepted {
                ballot: Some((*ballot).into()),
            }),
        }
    }
}

impl Message {
    /// Reads a message; `None` if it is not about membership.
    ///
    /// # Errors
    /// If something is missing in it.
    pub(crate) fn read(body: &Body) -> Result<Option<Message>, Lacks> {
        let ask = match body {
            Body::Swim(packet) => return Ok(Some(Message::Swim(packet.clone()))),
            Body::Leaving(_) => return Ok(Some(Message::Leaving)),
            Body::Decided(view) => return Ok(Some(Message::Decided(read_view(Some(view))?))),
            Body::Prepare(prepare) => Ask::Prepare(ballot(prepare.ballot)?),
            Body::Promise(promise) => Ask::Promise(ballot(promise.ballot)?, vote(promise)?),
            Body::Accept(accept) => Ask::Accept(ballot(accept.ballot)?, read_view(accept.view.as_ref())?),
            Body::Refused(refused) => Ask::Refused(ballot(refused.ballot)?),
            Body::Accepted(accepted) => Ask::Accepted(ballot(accepted.ballot)?),
            _ => return Ok(None),
        };
        Ok(Some(Message::Ask(ask)))
    }
}

impl From<Ballot> for wire::Ballot {
    fn from(ballot: Ballot) -> Self {
        wire::Ballot {
            round: ballot.round,
            node: Some(ballot.node.into()),
        }
    }
}

fn ballot(ballot: Option<wire::Ballot>) -> Result<Ballot, Lacks> {
    let ballot = ballot.ok_or(Lacks("ballot"))?;
    Ok(Ballot {
        round: ballot.round,
        node: ballot.node.ok_or(Lacks("proposer"))?.into(),
    })
}

fn vote(promise: &wire::Promise) -> Result<Option<Vote>, Lacks> {
    match promise.accepted {
        None => Ok(None),
        accepted => Ok(Some((ballot(accepted)?, read_view(promise.view.as_ref())?))),
    }
}

fn read_view(view: Option<&wire::View>) -> Result<Arc<View>, Lacks> {
    let view = view.ok_or(Lacks("view"))?;
    View::try_from(view.clone()).map(Arc::new)
}
