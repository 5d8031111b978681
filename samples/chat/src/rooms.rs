//! Rooms: a map from ids to messages, and from names to those who are typing.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudstate_sdk::crdt::{Context, LWWRegister, Next, ORMap, Streamed};
use cloudstate_sdk::prost_types::Timestamp;
use cloudstate_sdk::{Failure, Primitive, Reply};

use crate::proto::cloudstate::samples::chat::rooms::{
    Changes, Entry, Message, PostMessage, Room, SetTyping, Typist, entry, rooms::CrdtEntity,
};

/// What a room holds. Messages and typists are told apart by the first letter of their keys.
type Entries = ORMap<Primitive<String>, LWWRegister<Entry>>;

/// Messages that a room keeps. While nodes post at the same time it may be some more, until the next one is posted.
const HISTORY: usize = 100;
/// A typist who has not pressed a key for so long has left.
const TYPING_MS: u64 = 10_000;
const MAX_NAME: usize = 40;
const MAX_TEXT: usize = 2000;

/// Every room.
pub(crate) struct RoomEntity;

impl CrdtEntity for RoomEntity {
    type State = Entries;

    fn post(
        &self,
        command: PostMessage,
        room: &mut Entries,
        _: &mut Context,
    ) -> Result<Reply<Message>, Failure> {
        let user = checked("name", &command.user, MAX_NAME)?;
        let text = checked("message", &command.text, MAX_TEXT)?;
        let now = now();
        let message = new_message(user, text, now.max(newest(room).saturating_add(1)));
        write(
            room,
            &message_key(&message.id),
            entry::Entry::Message(message.clone()),
        );
        room.remove(&typist_key(&message.user));
        tidy(room, now);
        Ok(message.into())
    }

    fn r#type(&self, command: SetTyping, room: &mut Entries, _: &mut Context) -> Result<Reply<()>, Failure> {
        let user = checked("name", &command.user, MAX_NAME)?;
        let key = typist_key(&user);
        if command.typing {
            let at = Some(timestamp(now()));
            write(room, &key, entry::Entry::Typist(Typist { user, at }));
        } else {
            room.remove(&key);
        }
        Ok(Reply::empty())
    }

    fn get_room(&self, _: Room, room: &mut Entries, _: &mut Context) -> Result<Reply<Changes>, Failure> {
        Ok(Seen::default().whole(room).into())
    }

    fn follow(
        &self,
        _: Room,
        room: &mut Entries,
        _: &mut Context,
    ) -> Result<Streamed<Entries, Changes>, Failure> {
        let mut seen = Seen::default();
        let stream = Streamed::new().first(seen.whole(room));
        Ok(stream.on_change(move |room| seen.since(room).map_or(Next::Silent, Next::send)))
    }
}

/// What a stream has sent.
#[derive(Default)]
struct Seen {
    messages: BTreeSet<String>,
    typing: Vec<Typist>,
}

impl Seen {
    fn whole(&mut self, room: &Entries) -> Changes {
        Changes {
            whole: true,
            ..self.since(room).unwrap_or_default()
        }
    }

    /// What is new; `None` if nothing.
    fn since(&mut self, room: &Entries) -> Option<Changes> {
        let mut new: Vec<Message> = messages(room)
            .filter(|message| !self.messages.contains(&message.id))
            .cloned()
            .collect();
        new.sort_by(|one, other| one.id.cmp(&other.id));
        let gone = |id: &String| !room.contains_key(&message_key(id));
        let forgotten: Vec<String> = self.messages.extract_if(.., gone).collect();
        self.messages.extend(new.iter().map(|message| message.id.clone()));
        let typing: Vec<Typist> = typists(room, now()).cloned().collect();
        if new.is_empty() && forgotten.is_empty() && typing == self.typing {
            return None;
        }
        self.typing.clone_from(&typing);
        Some(Changes {
            whole: false,
            messages: new,
            forgotten,
            typing,
        })
    }
}

fn checked(what: &str, text: &str, most: usize) -> Result<String, Failure> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("The {what} is empty.").into()),
        length if length > most => {
            Err(format!("The {what} has {length} characters, more than {most}.").into())
        }
        _ => Ok(text.to_owned()),
    }
}

/// The time goes first, so that ids are in its order. Who posts on two nodes in the same millisecond says two things.
fn new_message(user: String, text: String, at: u64) -> Message {
    let random = RandomState::new().hash_one(at) & 0xffff_ffff;
    Message {
        id: format!("{at:013}-{random:08x}"),
        user,
        text,
        at: Some(timestamp(at)),
    }
}

fn message_key(id: &str) -> Primitive<String> {
    Primitive(format!("m{id}"))
}

fn typist_key(user: &str) -> Primitive<String> {
    Primitive(format!("t{user}"))
}

fn write(room: &mut Entries, key: &Primitive<String>, entry: entry::Entry) {
    room.get_or_create(key.clone()).set(Entry { entry: Some(entry) });
}

/// Messages, in no particular order.
fn messages(room: &Entries) -> impl Iterator<Item = &Message> {
    room.iter()
        .filter_map(|(_, register)| match &register.get().entry {
            Some(entry::Entry::Message(message)) => Some(message),
            _ => None,
        })
}

/// Those who have pressed a key not long ago.
fn typists(room: &Entries, now: u64) -> impl Iterator<Item = &Typist> {
    room.iter()
        .filter_map(move |(_, register)| match &register.get().entry {
            Some(entry::Entry::Typist(typist)) if !is_over(typist, now) => Some(typist),
            _ => None,
        })
}

fn is_over(typist: &Typist, now: u64) -> bool {
    typist.at.is_none_or(|at| milliseconds(at) + TYPING_MS < now)
}

/// When the last message was posted, so that the next comes behind it even if the clock of this node is late; 0 if there is
/// none.
fn newest(room: &Entries) -> u64 {
    messages(room)
        .filter_map(|message| message.at)
        .map(milliseconds)
        .max()
        .unwrap_or_default()
}

/// Forgets the oldest messages, and typists who never said that they had stopped.
fn tidy(room: &mut Entries, now: u64) {
    let mut ids: Vec<String> = messages(room).map(|message| message.id.clone()).collect();
    ids.sort_unstable();
    ids.truncate(ids.len().saturating_sub(HISTORY));
    let typing: BTreeSet<&str> = typists(room, now).map(|typist| typist.user.as_str()).collect();
    let gone: Vec<Primitive<String>> = room
        .iter()
        .filter(|(key, _)| key.0.strip_prefix('t').is_some_and(|user| !typing.contains(user)))
        .map(|(key, _)| key.clone())
        .collect();
    for key in ids.iter().map(|id| message_key(id)).chain(gone) {
        room.remove(&key);
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn timestamp(milliseconds: u64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_millis(milliseconds)).into()
}

/// Milliseconds since 1970; 0 if it was before.
fn milliseconds(at: Timestamp) -> u64 {
    let (seconds, nanos) = (u64::try_from(at.seconds), u64::try_from(at.nanos));
    seconds.unwrap_or_default().saturating_mul(1000) + nanos.unwrap_or_default() / 1_000_000
}

#[cfg(test)]
mod tests;
