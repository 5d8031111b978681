// The page: several people in one window, each on a node of its own choice.
//
//   net.js ─────────▶ topics.js ─────▶ state.js ──────▶ cluster.js, person.js
//   calls, streams    what was said    who and where    what is shown

import { showCluster } from "./cluster.js";
import { at, fill, showError } from "./dom.js";
import { nodeOf } from "./net.js";
import { beginPerson, showPerson } from "./person.js";
import { addPerson, enter, leave, named, onChange, people, remember, room, update } from "./state.js";

function show() {
  showCluster();
  fill(at("people"), [...people.values()], person => person.name, beginPerson, showPerson);
  at("nobody").hidden = people.size > 0;
  at("people").hidden = people.size === 0;
}

function join(...newcomers) {
  newcomers.forEach(name => addPerson(name));
  remember();
  update();
}

at("join").addEventListener("submit", event => {
  event.preventDefault();
  join(event.target.elements.name.value);
  event.target.reset();
});

for (const button of at("nobody").querySelectorAll("[data-name]")) {
  button.addEventListener("click", () => join(button.dataset.name));
}
at("both").addEventListener("click", () => join("Ann", "Bob"));

at("enter").addEventListener("submit", event => event.preventDefault());
at("room").addEventListener("change", event => {
  enter(event.target.value);
  at("room").value = room;
  remember();
  update();
});

at("another").addEventListener("submit", event => {
  event.preventDefault();
  const text = event.target.elements.node.value.trim();
  const node = nodeOf(text);
  if (!node) return showError(`${text} is no port and no address.`);
  named.add(node);
  event.target.reset();
  remember();
  update();
});

at("dismiss").addEventListener("click", () => showError(""));

at("room").value = room;
onChange(show);
update();
// Who has stopped typing without saying so is dropped by time.
setInterval(show, 1000);
addEventListener("resize", show);
// A browser may keep a page that was left, with all that it follows: nobody is online there.
addEventListener("pagehide", leave);
addEventListener("pageshow", event => event.persisted && update());
