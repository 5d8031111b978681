// Nodes, calls and streams: all that this page knows of HTTP.

/** The node that this page came from. Nodes are named by their origins. */
export const OWN = location.origin;

/** The names of this machine. */
const isLocal = hostname => ["localhost", "127.0.0.1"].includes(hostname);

/**
 * The node that somebody means by a port, a host and port, or a URL; undefined if that is none of them, or cannot be reached from
 * here. A node of this machine has one name, whatever it was called.
 */
export function nodeOf(text) {
  const meant = /^\d+$/.test(text) ? `${location.hostname}:${text}` : text;
  try {
    const url = new URL(meant.includes("://") ? meant : `${location.protocol}//${meant}`);
    if (!["http:", "https:"].includes(url.protocol) || url.hostname.includes("%")) return undefined;
    if (isLocal(url.hostname)) {
      if (!isLocal(location.hostname)) return undefined;
      url.hostname = location.hostname;
    }
    return url.origin;
  } catch {
    return undefined;
  }
}

/** A node as people see it: those of the page's own host by their ports. */
export function label(node) {
  const { host, hostname, port } = new URL(node);
  return hostname === location.hostname && port ? `:${port}` : host;
}

/** Calls a method of a node. Throws an Error with the text of what went wrong. */
export async function call(node, path, message) {
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  };
  const response = await fetch(node + path, request).catch(() => {
    throw new Error(`The node ${label(node)} does not answer. Is it running?`);
  });
  const text = await response.text();
  if (!response.ok) throw new Error(reason(response, text));
  return text && JSON.parse(text);
}

/** What the function says comes as text, everything else as a status in JSON. */
function reason(response, text) {
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  return (isJson ? JSON.parse(text).message : text) || `The call failed with HTTP status ${response.status}.`;
}

/**
 * A browser opens six connections at most to a host without TLS, and a stream takes one. Every name below `localhost` is this
 * machine, so each topic can have a host of its own there: if this browser knows that, and the proxy lets the page call it.
 */
const hasHosts = probe();

async function probe() {
  if (location.protocol !== "http:" || !isLocal(location.hostname)) return false;
  const request = { method: "HEAD", cache: "no-store" };
  return fetch(`http://probe.localhost:${location.port}/index.html`, request).then(() => true, () => false);
}

function hostFor(node, topic) {
  const { hostname, port } = new URL(node);
  if (!isLocal(hostname)) return node;
  let hash = 5381;
  for (const letter of topic) hash = (hash * 33 + letter.codePointAt(0)) >>> 0;
  return `http://t${hash.toString(36)}.localhost:${port}`;
}

/** How long to wait before a stream is asked for that the browser has given up. */
const AGAIN_MS = 1000;

/**
 * Follows a stream of a node until `close`. `take` gets each message, `changed` is called when `isLive` changes. The browser
 * asks again by itself when the connection breaks; where it gives up, this does.
 */
export class Feed {
  isLive = false;

  constructor(node, topic, path, take, changed) {
    Object.assign(this, { node, topic, path, take, changed });
    this.open();
  }

  async open() {
    const host = (await hasHosts) ? hostFor(this.node, this.topic) : this.node;
    if (this.isClosed) return;
    const source = new EventSource(host + this.path);
    this.source = source;
    source.onopen = () => this.live(true);
    source.onmessage = event => {
      this.live(true);
      this.take(JSON.parse(event.data));
    };
    const again = () => {
      source.close();
      this.timer = setTimeout(() => this.open(), AGAIN_MS);
    };
    source.addEventListener("end", again);
    source.addEventListener("error", event => {
      this.live(false);
      if (event.data || source.readyState === EventSource.CLOSED) again();
    });
  }

  live(isLive) {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    this.changed();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.source?.close();
  }
}
