// What the page follows: which streams, and what they have said so far.

import { Feed, OWN } from "./net.js";

const escaped = encodeURIComponent;
/** How long somebody is shown as typing after a key. He says it again while he goes on. */
export const TYPING_MS = 6000;

/** Per kind of stream: where it is, and how what is known follows from a message and what was known. */
const KINDS = {
  connect: { path: name => `/presence/${escaped(name)}/connect`, next: () => undefined },
  monitor: { path: name => `/presence/${escaped(name)}`, next: status => status },
  friends: { path: name => `/friends/${escaped(name)}/changes`, next: list => list.friends ?? [] },
  // Asking names the node that this page came from.
  places: { path: chat => `/places/${chat}?origin=${escaped(OWN)}`, next: list => list.origins ?? [] },
  room: { path: room => `/rooms/${escaped(room)}/changes`, next: nextOfRoom },
};

function nextOfRoom(changes, known) {
  const messages = new Map(changes.whole ? [] : known?.messages);
  for (const message of changes.messages ?? []) messages.set(message.id, message);
  for (const id of changes.forgotten ?? []) messages.delete(id);
  const typing = new Map();
  for (const { user, at } of changes.typing ?? []) {
    const before = known?.typing.get(user);
    // The clocks of the nodes are not this one: what counts is when it was heard here.
    typing.set(user, before?.at === at ? before : { at, until: Date.now() + TYPING_MS });
  }
  return { messages, typing };
}

/** The streams that are followed, by kind, node and id. */
const followed = new Map();
const keyOf = (kind, node, id) => JSON.stringify([kind, node, id]);

/** Follows these, each `[kind, node, id]`, and no others. */
export function follow(wanted, changed) {
  const keys = new Map(wanted.map(topic => [keyOf(...topic), topic]));
  for (const [key, topic] of followed) {
    if (keys.has(key)) continue;
    topic.feed.close();
    followed.delete(key);
  }
  for (const [key, [kind, node, id]] of keys) {
    if (!followed.has(key)) followed.set(key, begin(kind, node, id, changed));
  }
}

function begin(kind, node, id, changed) {
  const { path, next } = KINDS[kind];
  const topic = { known: undefined };
  const take = message => {
    topic.known = next(message, topic.known);
    changed();
  };
  topic.feed = new Feed(node, `${kind} ${id}`, path(id), take, changed);
  return topic;
}

/** What a stream has said so far; undefined if nothing. */
export const known = (kind, node, id) => followed.get(keyOf(kind, node, id))?.known;

export const isLive = (kind, node, id) => followed.get(keyOf(kind, node, id))?.feed.isLive ?? false;
