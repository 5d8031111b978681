//! Who knows whom: a set for each user.

use cloudstate_sdk::crdt::{Context, Next, ORSet, Streamed};
use cloudstate_sdk::{Failure, Reply};

use crate::proto::cloudstate::samples::chat::friends::{
    Empty, Friend, FriendRequest, FriendsList, User, friends::CrdtEntity,
};

/// The friends of every user.
pub(crate) struct FriendsEntity;

impl CrdtEntity for FriendsEntity {
    type State = ORSet<Friend>;

    fn add(
        &self,
        command: FriendRequest,
        friends: &mut ORSet<Friend>,
        ctx: &mut Context,
    ) -> Result<Reply<Empty>, Failure> {
        let friend = named(command)?;
        if friend.user == ctx.entity_id() {
            return Err("Nobody can be his own friend.".into());
        }
        if !friends.contains(&friend) {
            forget(friends, &friend.user);
            friends.add(friend);
        }
        Ok(Empty {}.into())
    }

    fn remove(
        &self,
        command: FriendRequest,
        friends: &mut ORSet<Friend>,
        _: &mut Context,
    ) -> Result<Reply<Empty>, Failure> {
        forget(friends, &named(command)?.user);
        Ok(Empty {}.into())
    }

    fn get_friends(
        &self,
        _: User,
        friends: &mut ORSet<Friend>,
        _: &mut Context,
    ) -> Result<Reply<FriendsList>, Failure> {
        Ok(list(friends).into())
    }

    fn follow(
        &self,
        _: User,
        friends: &mut ORSet<Friend>,
        _: &mut Context,
    ) -> Result<Streamed<ORSet<Friend>, FriendsList>, Failure> {
        let stream = Streamed::new().first(list(friends));
        Ok(stream.on_change(|friends| Next::send(list(friends))))
    }
}

fn named(command: FriendRequest) -> Result<Friend, Failure> {
    match command.friend {
        Some(friend) if !friend.user.trim().is_empty() => Ok(friend),
        _ => Err("Who is the friend? The name is empty.".into()),
    }
}

/// Elements are compared with their avatars; a friend may have been added with several at the same time.
fn forget(friends: &mut ORSet<Friend>, user: &str) {
    let known: Vec<Friend> = friends
        .iter()
        .filter(|known| known.user == user)
        .cloned()
        .collect();
    for friend in known {
        friends.remove(&friend);
    }
}

/// Each friend once, by name.
fn list(friends: &ORSet<Friend>) -> FriendsList {
    let mut friends: Vec<Friend> = friends.iter().cloned().collect();
    friends.sort_by(|one, other| one.user.cmp(&other.user));
    friends.dedup_by(|one, other| one.user == other.user);
    FriendsList { friends }
}

#[cfg(test)]
mod tests;
