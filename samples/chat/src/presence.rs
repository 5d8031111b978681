//! Who is online: each node votes for the users that are connected to it.

use cloudstate_sdk::Failure;
use cloudstate_sdk::crdt::{Context, Next, Streamed, Vote};

use crate::proto::cloudstate::samples::chat::presence::{OnlineStatus, User, presence::CrdtEntity};

/// The presence of every user.
pub(crate) struct PresenceEntity;

impl CrdtEntity for PresenceEntity {
    type State = Vote;

    fn connect(&self, _: User, vote: &mut Vote, _: &mut Context) -> Result<Streamed<Vote, ()>, Failure> {
        vote.vote(true);
        Ok(Streamed::new().on_cancel(|vote: &mut Vote, ctx| {
            if ctx.other_streams() == 0 {
                vote.vote(false);
            }
        }))
    }

    fn monitor(
        &self,
        _: User,
        vote: &mut Vote,
        _: &mut Context,
    ) -> Result<Streamed<Vote, OnlineStatus>, Failure> {
        let mut said = status(vote);
        let stream = Streamed::new().first(said);
        Ok(stream.on_change(move |vote| {
            let now = status(vote);
            match std::mem::replace(&mut said, now) == now {
                true => Next::Silent,
                false => Next::send(now),
            }
        }))
    }
}

fn status(vote: &Vote) -> OnlineStatus {
    OnlineStatus {
        online: vote.is_at_least_one(),
        here: vote.own(),
        connected_nodes: vote.votes_for(),
        nodes: vote.voters(),
    }
}

#[cfg(test)]
mod tests;
