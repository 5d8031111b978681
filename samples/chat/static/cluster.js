// The picture of the nodes and of who is online where.

import { at, attempt, fill, make, paint, write } from "./dom.js";
import { OWN, call, label } from "./net.js";
import { CHAT, allNodes, named, names, people, remember, room, update } from "./state.js";
import { isLive, known } from "./topics.js";

export function showCluster() {
  const all = names();
  const nodes = allNodes();
  const isUp = node => (node === OWN && isLive("places", OWN, CHAT)) || all.some(name => isLive("monitor", node, name));
  const here = (node, name) => isUp(node) && known("monitor", node, name)?.here;
  const cards = nodes.map(node => {
    const faces = all.filter(name => here(node, name));
    // Without anybody to ask for, nobody knows how another node is.
    const state = isUp(node) ? "up" : all.length || node === OWN ? "down" : "other";
    return { key: node, node, name: `Node ${label(node)}`, state, faces };
  });
  const seen = all.flatMap(name => nodes.filter(isUp).map(node => known("monitor", node, name))).filter(Boolean);
  const size = Math.max(0, ...seen.map(status => status.nodes ?? 0));
  const elsewhere = all.filter(name => {
    const counts = nodes.filter(isUp).map(node => known("monitor", node, name)?.connectedNodes ?? 0);
    return Math.max(0, ...counts) > nodes.filter(node => here(node, name)).length;
  });
  const others = size - cards.filter(card => card.state === "up").length;
  if (others > 0) {
    cards.push({ key: "others", name: others === 1 ? "One other node" : `${others} other nodes`, state: "other", faces: elsewhere });
  }
  fill(at("nodes"), cards, card => card.key, beginNode, showNode);
  write(at("size"), size ? `${size} ${size === 1 ? "node" : "nodes"}` : "");
}

const STATES = { up: "up", down: "down", other: "" };

function beginNode({ node }) {
  const element = make("node-card");
  const forget = element.querySelector(".forget");
  if (!node) return element;
  forget.setAttribute("aria-label", `Forget ${label(node)}`);
  forget.addEventListener("click", () => {
    named.delete(node);
    remember();
    attempt(() => call(OWN, `/places/${CHAT}/forget`, { origin: node })).then(update);
  });
  return element;
}

function showNode(element, { node, name, state, faces }) {
  element.dataset.state = state;
  const isUsed = [...people.values()].some(person => person.node === node);
  element.querySelector(".forget").hidden = state !== "down" || isUsed || node === OWN;
  write(element.querySelector(".name"), name);
  write(element.querySelector(".state"), STATES[state]);
  fill(element.querySelector(".faces"), faces, face => face, face => {
    const child = make("face");
    paint(child.querySelector(".avatar"), face);
    child.querySelector(".name").textContent = face;
    return child;
  });
}
