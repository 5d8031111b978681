// Elements: made from templates, filled, written.

export const at = id => document.getElementById(id);
export const make = id => at(id).content.firstElementChild.cloneNode(true);

/** Does what somebody asked for, and says what went wrong. */
export async function attempt(run) {
  try {
    await run();
    showError("");
  } catch (error) {
    showError(error.message);
  }
}

export function showError(text) {
  at("error-text").textContent = text;
  at("error").hidden = !text;
}

/** Gives a list one child for each item, in their order. Children stay, and with them what is typed or selected there. */
export function fill(list, items, keyOf, begin, refresh = () => {}) {
  const before = new Map([...list.children].map(child => [child.dataset.key, child]));
  let previous = null;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = begin(item);
      child.dataset.key = key;
    }
    refresh(child, item);
    const next = previous ? previous.nextElementSibling : list.firstElementChild;
    if (next !== child) list.insertBefore(child, next);
    previous = child;
  }
  for (const child of before.values()) child.remove();
}

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Everybody has a colour, which goes by the name. */
export function hueOf(name) {
  let hash = 7;
  for (const letter of name.toLowerCase()) hash = (hash * 31 + letter.codePointAt(0)) % 3600;
  return Math.round(hash * 137.5) % 360;
}

export function paint(avatar, name, hue = hueOf(name)) {
  avatar.textContent = [...name][0].toUpperCase();
  avatar.style.setProperty("--hue", hue);
}
