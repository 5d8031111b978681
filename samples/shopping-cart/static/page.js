// The page of one cart. It keeps nothing: after each command it shows what the proxy says is in the cart.

const at = id => document.getElementById(id);

/** Whose cart it is stands in the address, so that it survives a reload and can be sent to somebody. */
const user = () => new URLSearchParams(location.search).get("user") || "ann";

const cartPath = () => `carts/${encodeURIComponent(user())}`;
const commandPath = rest => `cart/${encodeURIComponent(user())}/items/${rest}`;

/** Calls the function's API. Throws an Error with the text of what went wrong. */
async function call(path, message) {
  const request = message && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  };
  const response = await fetch(path, request).catch(() => {
    throw new Error("The proxy does not answer. Is it running?");
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

function showError(text) {
  at("error-text").textContent = text;
  at("error").hidden = !text;
}

function show(items) {
  at("items").replaceChildren(...items.map(row));
  at("empty").hidden = items.length > 0;
  const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
  at("count").textContent = pieces === 1 ? "1 piece" : `${pieces} pieces`;
}

function row(item) {
  const row = at("item").content.firstElementChild.cloneNode(true);
  const button = (name, label, command) => {
    const button = row.querySelector(name);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => change(button, command));
  };
  row.dataset.product = item.productId;
  row.querySelector(".name").textContent = item.name || item.productId;
  row.querySelector(".quantity").textContent = `× ${item.quantity}`;
  button(".more", `One more ${item.name}`, () => add(item.productId, item.name, 1));
  button(".remove", `Remove ${item.name}`, () => call(commandPath(`${encodeURIComponent(item.productId)}/remove`), {}));
  return row;
}

const add = (productId, name, quantity) => call(commandPath("add"), { productId, name, quantity });

/** Runs a command, then shows the cart as it is now, and why the command failed if it did. */
async function change(button, command) {
  const product = button.closest("li")?.dataset.product;
  button.disabled = true;
  let failure = "";
  try {
    await command();
  } catch (error) {
    failure = error.message;
  }
  await load(failure);
  button.disabled = false;
  if (product) focusRow(product, button.classList[0]);
  return !failure;
}

/** The rows are new ones: who works by keyboard goes on where they were. */
function focusRow(product, name) {
  const row = [...at("items").children].find(row => row.dataset.product === product);
  (row?.querySelector(`.${name}`) ?? at("name")).focus();
}

async function load(failure = "") {
  try {
    show((await call(cartPath())).items);
    showError(failure);
  } catch (error) {
    showError(failure || error.message);
  }
}

at("add").addEventListener("submit", async event => {
  event.preventDefault();
  const form = event.target;
  const name = form.elements.name.value.trim();
  if (!name) {
    showError("Which product? Type its name.");
    form.elements.name.focus();
    return;
  }
  const productId = name.toLowerCase().replaceAll(/\s+/g, "-");
  // An empty field, and what is no number, are for the function to judge, as 0.
  const quantity = Number(form.elements.quantity.value);
  if (await change(event.submitter, () => add(productId, name, quantity))) {
    form.reset();
    form.elements.name.focus();
  }
});

at("owner").addEventListener("submit", event => {
  event.preventDefault();
  const address = new URL(location.href);
  address.searchParams.set("user", event.target.elements.user.value.trim());
  location.assign(address);
});

at("dismiss").addEventListener("click", () => showError(""));

at("user").value = user();
document.title = `Cart of ${user()}`;
load();
