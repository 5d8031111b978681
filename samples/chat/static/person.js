// One of the people of the window: connection, friends, messages.

import { attempt, fill, hueOf, make, paint, write } from "./dom.js";
import { call, label } from "./net.js";
import { allNodes, friendsOf, people, remember, room, update } from "./state.js";
import { isLive, known } from "./topics.js";

/** Who says that he types is not asked again for so long. */
const SAY_TYPING_MS = 3000;

export function beginPerson(person) {
  const { name } = person;
  const element = make("person");
  const find = selector => element.querySelector(selector);
  paint(find(".avatar"), name);
  find("h2").textContent = name;
  element.dataset.user = name;
  element.setAttribute("aria-label", name);
  find(".leave").setAttribute("aria-label", `Remove ${name} from this window`);
  find(".toggle").addEventListener("click", () => {
    person.isOnline = !person.isOnline;
    update();
  });
  find(".leave").addEventListener("click", () => {
    people.delete(name);
    remember();
    update();
  });
  find(".on").addEventListener("change", event => {
    person.node = event.target.value;
    remember();
    update();
  });
  find(".befriend").addEventListener("submit", event => {
    event.preventDefault();
    const input = event.target.elements.friend;
    attempt(() => befriend(person, input.value.trim())).then(() => { input.value = ""; });
  });
  find(".post").addEventListener("submit", event => {
    event.preventDefault();
    const input = event.target.elements.text;
    const text = input.value;
    if (text.trim()) attempt(() => post(person, text, input));
  });
  const list = find(".messages");
  // Who reads what was said before is left there; else the last message stays in view, whatever becomes of the window.
  list.addEventListener("scroll", () => {
    person.isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  });
  find(".post input").addEventListener("input", event => typed(person, event.target.value));
  return element;
}

const befriendPath = name => `/friends/${encodeURIComponent(name)}`;
const asFriend = name => ({ user: name, avatar: String(hueOf(name)) });

/** Friends are friends of each other. */
async function befriend({ name, node }, friend) {
  await call(node, befriendPath(name), asFriend(friend));
  await call(node, befriendPath(friend), asFriend(name));
}

async function unfriend({ name, node }, friend) {
  await call(node, `${befriendPath(name)}/remove`, { user: friend });
  await call(node, `${befriendPath(friend)}/remove`, { user: name });
}

const roomPath = rest => `/rooms/${encodeURIComponent(room)}${rest}`;

async function post(person, text, input) {
  // What is typed meanwhile must not be lost, and what could not be sent neither.
  input.value = "";
  person.typedAt = 0;
  try {
    await call(person.node, roomPath("/messages"), { user: person.name, text });
  } catch (error) {
    if (!input.value) input.value = text;
    throw error;
  }
}

/** Says now and then that somebody types, and once that he has stopped. Nobody needs to hear if that fails. */
function typed(person, text) {
  const typing = text.trim() !== "";
  const now = Date.now();
  if (typing ? now - person.typedAt < SAY_TYPING_MS : person.typedAt === 0) return;
  person.typedAt = typing ? now : 0;
  call(person.node, roomPath("/typing"), { user: person.name, typing }).catch(() => {});
}

export function showPerson(element, person) {
  const { name, node, isOnline } = person;
  const find = selector => element.querySelector(selector);
  showConnection(element, person);
  fill(find(".on"), allNodes(), place => place, place => new Option(label(place), place));
  find(".on").value = node;
  const friends = friendsOf(person);
  const others = [...people.keys()].filter(other => other !== name && !friends.some(friend => friend.user === other));
  const rows = [...friends.map(friend => ({ ...friend, isFriend: true })), ...others.map(user => ({ user }))];
  fill(find(".friends"), rows, row => `${row.isFriend ? "friend" : "other"} ${row.user}`,
    row => (row.isFriend ? beginFriend(person, row) : suggest(person, row.user)),
    (child, row) => row.isFriend && showFriend(child, known("monitor", node, row.user)));
  find(".post input").disabled = find(".post button").disabled = !isOnline;
  showRoom(element, person);
}

function showConnection(element, { name, node, isOnline }) {
  const status = known("monitor", node, name);
  const isConnected = isOnline && isLive("monitor", node, name) && Boolean(status?.here);
  const state = !isOnline ? "offline" : isConnected ? "online" : "connecting";
  element.dataset.state = state;
  const also = isOnline ? 0 : status?.connectedNodes ?? 0;
  const texts = {
    offline: also ? "Offline here, online elsewhere" : "Offline",
    online: "Online",
    connecting: "Connecting …",
  };
  write(element.querySelector(".connection"), texts[state]);
  write(element.querySelector(".toggle"), isOnline ? "Go offline" : "Go online");
}

function beginFriend(person, { user, avatar }) {
  const child = make("friend");
  paint(child.querySelector(".avatar"), user, Number(avatar) || undefined);
  child.querySelector(".name").textContent = user;
  child.dataset.user = user;
  const remove = child.querySelector(".remove");
  remove.setAttribute("aria-label", `Remove ${user} from the friends`);
  remove.addEventListener("click", () => attempt(() => unfriend(person, user)));
  return child;
}

function showFriend(child, status) {
  child.dataset.state = status?.online ? "online" : "offline";
  write(child.querySelector(".sr"), status?.online ? "online" : "offline");
}

function suggest(person, user) {
  const child = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "suggest";
  button.textContent = `+ ${user}`;
  button.addEventListener("click", () => attempt(() => befriend(person, user)));
  child.append(button);
  return child;
}

function showRoom(element, person) {
  const list = element.querySelector(".messages");
  const { messages, typing } = known("room", person.node, room) ?? { messages: new Map(), typing: new Map() };
  list.classList.toggle("known", known("room", person.node, room) !== undefined);
  const sorted = [...messages.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  fill(list, sorted, message => message.id, message => beginMessage(message, person.name));
  if (person.isAtEnd) list.scrollTop = list.scrollHeight;
  const now = Date.now();
  const typists = [...typing].filter(([user, { until }]) => user !== person.name && until > now).map(([user]) => user);
  const text = { 0: "", 1: `${typists[0]} is typing …`, 2: `${typists.join(" and ")} are typing …` };
  write(element.querySelector(".typing"), text[typists.length] ?? "Several are typing …");
}

function beginMessage({ user, text, at: time }, reader) {
  const child = make("message");
  child.classList.toggle("own", user === reader);
  child.querySelector(".name").textContent = user;
  child.querySelector(".name").style.setProperty("--hue", hueOf(user));
  child.querySelector("time").dateTime = time;
  child.querySelector("time").textContent = new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  child.querySelector(".text").textContent = text;
  return child;
}
