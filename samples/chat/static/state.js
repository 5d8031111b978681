// What the window is about: the room, its people, and the nodes.

import { OWN, label, nodeOf } from "./net.js";
import { follow, known } from "./topics.js";

// What is in the address survives a reload, and can be sent to somebody: `?room=lounge&node=9001&user=ann&user=bob@9001`.
const address = new URLSearchParams(location.search);
/** The room that all of them are in. */
export let room = address.get("room") || "lounge";
/** The nodes that this window was told of. */
export const named = new Set([OWN, ...address.getAll("node").map(nodeOf)].filter(Boolean));
/** The windows of one chat know each other's nodes. */
export const CHAT = "chat";
/** The people of this window by name: `{ name, node, isOnline, typedAt, isAtEnd }`. */
export const people = new Map();
for (const user of address.getAll("user")) {
  const [name, place] = user.split("@");
  addPerson(name, (place && nodeOf(place)) || OWN);
}

export function addPerson(name, node = OWN) {
  name = name.trim().replaceAll("@", "");
  if (!name) return;
  named.add(node);
  if (!people.has(name)) people.set(name, { name, node, isOnline: true, typedAt: 0, isAtEnd: true });
}

export function remember() {
  const now = new URLSearchParams({ room });
  const short = node => label(node).replace(/^:/, "");
  for (const node of named) if (node !== OWN) now.append("node", short(node));
  for (const { name, node } of people.values()) now.append("user", node === OWN ? name : `${name}@${short(node)}`);
  history.replaceState(null, "", `?${now}`);
}

/** The nodes that are shown: those that windows came from, and those that this one was told of. */
export function allNodes() {
  const places = (known("places", OWN, CHAT) ?? []).map(nodeOf).filter(Boolean);
  const others = [...new Set([...named, ...places])].filter(node => node !== OWN);
  return [OWN, ...others.sort((one, other) => one.localeCompare(other, undefined, { numeric: true }))];
}

export const friendsOf = person => known("friends", person.node, person.name) ?? [];

/** All whom this window knows: its people and their friends. */
export function names() {
  const friends = [...people.values()].flatMap(friendsOf).map(friend => friend.user);
  return [...new Set([...people.keys(), ...friends])].sort((one, other) => one.localeCompare(other));
}

export function enter(other) {
  room = other.trim() || "lounge";
}

/** Called after each change. */
let show = () => {};

export function onChange(run) {
  show = run;
}

/** Follows what the people of this window need, and shows it. */
export function update() {
  const wanted = [["places", OWN, CHAT]];
  for (const node of allNodes()) for (const name of names()) wanted.push(["monitor", node, name]);
  for (const { name, node, isOnline } of people.values()) {
    wanted.push(["friends", node, name], ["room", node, room]);
    if (isOnline) wanted.push(["connect", node, name]);
  }
  follow(wanted, changed);
  show();
}

/** Follows nothing, until the next update: nobody of this window is online any more. */
export function leave() {
  follow([], changed);
}

let isDue = false;
/** Streams that say something at the same time make the page change once. */
function changed() {
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => {
    isDue = false;
    update();
  });
}
