// The page of one order. It keeps the steps that came, and where the stream of them was.

const at = id => document.getElementById(id);

const STAGES = { PLACED: "Placed", PAID: "Paid", PACKED: "Packed", SHIPPED: "On its way", DELIVERED: "Delivered" };
const CANCELLED = "CANCELLED";

/** Which order it is stands in the address, so that it survives a reload and can be sent to somebody. */
const orderId = new URLSearchParams(location.search).get("order") || freshOrder();
const path = rest => `orders/${encodeURIComponent(orderId)}${rest}`;

function freshOrder() {
  const id = `order-${Math.random().toString(36).slice(2, 8)}`;
  history.replaceState(null, "", `?order=${id}`);
  return id;
}

/** The steps that came, in their order. */
const steps = [];
/** How many events that were; the same as steps, if none came twice. */
let received = 0;

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

async function command(button, run) {
  button.disabled = true;
  try {
    await run();
    showError("");
  } catch (error) {
    showError(error.message);
  }
  button.disabled = false;
  showActions();
}

/**
 * Follows the order until its end. After a broken connection the browser asks again by itself, and names the last event
 * that it got; only where it gives up, a new stream is begun behind the last step.
 */
function follow() {
  const last = steps.at(-1)?.number ?? 0;
  const source = new EventSource(path(`/steps?after=${last}`));
  source.onopen = () => showConnection("live", "Live");
  source.onmessage = event => take(JSON.parse(event.data));
  source.addEventListener("end", () => {
    source.close();
    showConnection("ended", "Finished");
  });
  source.addEventListener("error", event => {
    if (event.data) {
      source.close();
      showError(JSON.parse(event.data).message);
    }
    if (event.data || source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
    showConnection("connecting", "Reconnecting");
  });
}

function take(step) {
  received += 1;
  steps.push(step);
  if (!at("article").textContent) loadArticle();
  show();
}

async function loadArticle() {
  try {
    at("article").textContent = (await call(path(""))).article;
  } catch {
    // The next step brings another chance.
  }
}

function showConnection(state, text) {
  at("connection").dataset.state = state;
  at("connection").textContent = text;
}

function show() {
  const isCancelled = steps.at(-1)?.stage === CANCELLED;
  const rows = steps.map((step, index) => row(step.stage, step.at, index === steps.length - 1));
  const rest = isCancelled ? [] : Object.keys(STAGES).slice(steps.length).map(stage => row(stage));
  at("steps").replaceChildren(...rows, ...rest);
  const counts = ["Not placed yet", "1 update received"];
  at("received").textContent = counts[received] ?? `${received} updates received`;
  showActions();
}

function row(stage, time, isLast) {
  const row = at("step").content.firstElementChild.cloneNode(true);
  row.dataset.stage = stage;
  row.classList.toggle("done", Boolean(time));
  row.classList.toggle("bad", stage === CANCELLED);
  if (isLast) row.setAttribute("aria-current", "step");
  row.querySelector(".stage").textContent = STAGES[stage] ?? "Cancelled";
  if (time) {
    row.querySelector("time").dateTime = time;
    row.querySelector("time").textContent = new Date(time).toLocaleTimeString();
  } else {
    row.querySelector("time").textContent = "–";
  }
  return row;
}

function showActions() {
  const isOver = ["DELIVERED", CANCELLED].includes(steps.at(-1)?.stage);
  at("place-section").hidden = steps.length > 0;
  at("staff").hidden = steps.length === 0;
  at("advance").disabled = isOver;
  at("cancel").disabled = isOver;
}

at("search").addEventListener("submit", event => {
  event.preventDefault();
  location.assign(`?order=${encodeURIComponent(event.target.elements.order.value.trim())}`);
});

at("place").addEventListener("submit", event => {
  event.preventDefault();
  command(event.submitter, () => call(path(""), { article: event.target.elements.article.value }));
});

at("advance").addEventListener("click", event => command(event.target, () => call(path("/advance"), {})));
at("cancel").addEventListener("click", event => command(event.target, () => call(path("/cancel"), {})));
at("dismiss").addEventListener("click", () => showError(""));

at("order").value = orderId;
at("order-title").textContent = `Order ${orderId}`;
document.title = `Order ${orderId}`;
show();
follow();
