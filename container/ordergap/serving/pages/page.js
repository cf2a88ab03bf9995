// The form: sends a request to /invocations and shows the forecast or the problems.
const byId = id => document.getElementById(id);
const form = byId("form"), model = JSON.parse(form.dataset.model);
lastDay = Math.max(lastDay, model.maxHorizon);
const curveDays = [];
for (let day = 1; day <= lastDay; day += day < 60 ? 1 : 5) curveDays.push(day);

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const definitions = (kind, pairs) => element("dl", { class: kind }, ...pairs.map(([term, text]) =>
  element("div", {}, element("dt", {}, term), element("dd", {}, text))));
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

let redraw = () => {};

// The request in the text: lines of date and amount, or JSON in any form that the server reads.
const parse = text => {
  if (!/^\s*[[{]/.test(text)) {
    const lines = [];
    text.split("\n").forEach((line, at) => {
      if (!line.trim()) return;
      const [date, ...rest] = line.trim().split(/[,;\t ]+/);
      const amount = rest.join(" ");
      const number = amount !== "" && isFinite(amount) ? Number(amount) : amount;
      lines.push({ at, order: { date, amount: number } });
    });
    return {
      request: { instances: [{ customer_id: "customer", orders: lines.map(line => line.order) }] },
      lines: lines.map(line => line.at),
    };
  }
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    try {
      parsed = text.split("\n").filter(line => line.trim()).map(line => JSON.parse(line));
    } catch {
      throw error;
    }
  }
  if (Array.isArray(parsed) && parsed.length && parsed.every(each => each && "date" in Object(each)))
    parsed = { customer_id: "customer", orders: parsed };
  if (Array.isArray(parsed)) return { request: { instances: parsed } };
  if (!("orders" in parsed || "customer_id" in parsed)) return { request: parsed };
  const { horizons, interval_level, ...record } = parsed;
  return { request: { instances: [record], horizons, interval_level } };
};

const send = async request => {
  const response = await fetch("invocations", {
    method: "POST",
    headers: { "Content-Type": "application/json; on_bad_record=error", Accept: "application/json" },
    body: JSON.stringify(request),
  });
  const content = await response.json().catch(() => {
    throw new Error(`The answer is not JSON (status ${response.status}).`);
  });
  if (!response.ok) throw Object.assign(new Error(content.error.message), { refusal: content.error });
  return content.predictions;
};

const showProblems = (title, problems) => {
  const items = problems.map(({ message, hint }) =>
    element("li", {}, message, ...(hint ? [element("span", { class: "hint" }, hint)] : [])));
  byId("problems").replaceChildren(element("p", {}, title), element("ul", {}, ...items));
};

const showNothing = words => {
  redraw = () => {};
  byId("answer").replaceChildren(element("p", { class: "absent" }, words));
};

// Problems beside the form; where `lines` has the line of each order, they name it and it is marked.
const showError = (error, lines) => {
  const orders = byId("orders");
  showNothing("There is no forecast.");
  if (!error.refusal) {
    const title = error instanceof SyntaxError ? "This is not JSON." : "The server did not answer.";
    return showProblems(title, [{ message: error.message }]);
  }
  let first = null;
  const problems = (error.refusal.problems || [error.refusal]).map(problem => {
    const order = /^orders\[(\d+)\]\.?/.exec(problem.field || "");
    let message = problem.message.replace(/^record \d+: /, lines ? "" : "$&");
    if (lines && order) {
      const line = lines[Number(order[1])];
      first ??= line;
      message = `Line ${line + 1}: ${message.replace(/orders\[\d+\]\.?/, "")}`;
    }
    return { message, hint: problem.hint };
  });
  showProblems("Please correct:", problems);
  const wrong = (error.refusal.field || "").endsWith("as_of") ? byId("as-of") : orders;
  wrong.setAttribute("aria-invalid", "true");
  if (first !== null) {
    const start = orders.value.split("\n").slice(0, first).join("\n").length + (first > 0);
    orders.focus();
    orders.setSelectionRange(start, start + orders.value.split("\n")[first].length);
  }
};

const summary = prediction => {
  const { next_order_date: next, next_order_date_low: low, next_order_date_high: high } = prediction;
  const level = percent(prediction.interval_level);
  const date = next ? `Next order expected on ${longDate(dayNumber(next))}`
    : `No order expected within ${model.maxHorizon} days`;
  const until = high ? `and ${longDate(dayNumber(high))}` : "and some day beyond";
  const between = low ? `, with ${level} between ${longDate(dayNumber(low))} ${until}` : "";
  return `${date}${between}. Status ${prediction.status}: ${model.statuses[prediction.status]}.`;
};

const interval = prediction => {
  const { next_order_date_low: low, next_order_date_high: high } = prediction;
  const level = `${percent(prediction.interval_level)} interval: `;
  if (!low) return `${level}beyond ${model.maxHorizon} days`;
  const from = longDate(dayNumber(low));
  return level + (high ? `${from} to ${longDate(dayNumber(high))}` : `from ${from}, open`);
};

// Fields that the page has elsewhere; every other one is listed, whatever it means.
const ELSEWHERE = new Set(["customer_id", "as_of", "days_since_last_order", "next_order_date",
  "next_order_date_low", "next_order_date_high", "interval_level", "typical_gap_days",
  "buy_probability", "status", "error"]);
const readable = value => {
  if (value === null) return "\u2013";
  if (typeof value === "number") return value.toLocaleString("en-GB", { maximumFractionDigits: 3 });
  if (/^\d{4}-\d\d-\d\d$/.test(value)) return longDate(dayNumber(value));
  if (typeof value !== "object") return String(value);
  return Object.entries(value).map(([key, each]) => `${key}: ${readable(each)}`).join(", ");
};
const otherFields = prediction => Object.entries(prediction)
  .filter(([name]) => !ELSEWHERE.has(name))
  .map(([name, value]) => [model.titles[name] ?? name, readable(value)]);

const table = prediction => {
  const points = curve(prediction).slice(1), now = dayNumber(prediction.as_of);
  const days = [1, 3, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, lastDay];
  const rows = days.map(day => element("tr", {},
    element("th", { scope: "row" }, longDate(now + day)),
    element("td", { class: "n" }, String(day)),
    element("td", { class: "n" }, percent(probabilityAt(points, day)))));
  const head = element("tr", {}, element("th", { scope: "col" }, "By"),
    element("th", { scope: "col", class: "n" }, "Days"),
    element("th", { scope: "col", class: "n" }, "Bought"));
  const whole = element("table", {},
    element("caption", {}, "Probability of having bought, by day"),
    element("thead", {}, head), element("tbody", {}, ...rows));
  const scroll = { class: "scroll", tabindex: "0", role: "group", "aria-label": "Probability by day" };
  return element("details", {}, element("summary", {}, "The figures"), element("div", scroll, whole));
};

const command = request => {
  const body = JSON.stringify(request).replaceAll("'", "'\\''");
  const address = new URL("invocations", location.href);
  const words = `curl ${address} -H 'Content-Type: application/json' -d '${body}'`;
  return element("details", {}, element("summary", {}, "The same from a program"),
    element("pre", { tabindex: "0", role: "group", "aria-label": "Command" }, words));
};

const showCustomer = (predictions, request, at) => {
  const prediction = predictions[at], { status, next_order_date: next } = prediction;
  const orders = request.instances[at].orders.map(order => ({ ...order, amount: Number(order.amount) }));
  const waited = prediction.days_since_last_order, typical = prediction.typical_gap_days;
  const figures = [
    ...request.horizons.map(day => [`Within ${count(day, "day")}`, percent(prediction.buy_probability[day])]),
    ["Last order", waited ? `${count(waited, "day")} ago` : "that day"],
    ["Usual gap", typical === null ? `over ${model.maxHorizon} days` : count(typical, "day")],
  ];
  const figure = element("figure", {});
  redraw = () => {
    const width = Math.max(280, Math.floor(figure.clientWidth));
    figure.replaceChildren(chart(prediction, orders, width, summary(prediction)));
  };
  const choice = element("select", { id: "customer" },
    ...predictions.map((each, k) => element("option", { value: k }, each.customer_id)));
  choice.value = String(at);
  choice.addEventListener("change", () => {
    showCustomer(predictions, request, Number(choice.value));
    byId("customer").focus();
  });
  const label = element("label", { for: "customer" }, `Customer, of ${predictions.length}`);
  byId("answer").replaceChildren(
    ...(predictions.length > 1 ? [element("div", { class: "customer" }, label, choice)] : []),
    element("p", { class: "expected" }, "Next order"),
    element("p", { class: "date" }, next ? longDate(dayNumber(next)) : `Not within ${model.maxHorizon} days`),
    element("p", { class: "span" }, interval(prediction)),
    element("p", { class: "span" },
      element("span", { class: `status ${status}` }, status[0].toUpperCase() + status.slice(1)),
      `: ${model.statuses[status]}`),
    definitions("key", figures), figure, definitions("card", otherFields(prediction)),
    table(prediction), command(request),
  );
  redraw();
  byId("announcement").textContent = summary(prediction);
};

form.addEventListener("submit", async event => {
  event.preventDefault();
  if (form.getAttribute("aria-busy") === "true") return;
  byId("problems").replaceChildren();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const each of [form, byId("answer")]) each.setAttribute("aria-busy", "true");
  let lines;
  try {
    const parsed = parse(byId("orders").value);
    lines = parsed.lines;
    const fields = JSON.parse(JSON.stringify(parsed.request));  // without what is undefined
    const request = { interval_level: Number(byId("level").value), ...fields };
    if (byId("as-of").value) request.as_of ??= byId("as-of").value;
    request.horizons ??= model.horizons;
    // The curve is the probability at many more horizons.
    const horizons = Array.isArray(request.horizons)
      ? [...new Set([...curveDays, ...request.horizons])] : request.horizons;
    const predictions = await send({ ...request, horizons });
    if (predictions.length) showCustomer(predictions, request, 0);
    else showNothing("The request has no customers.");
  } catch (error) {
    showError(error, lines);
  } finally {
    for (const each of [form, byId("answer")]) each.setAttribute("aria-busy", "false");
  }
});

const today = Math.floor(Date.now() / DAY);
byId("example").addEventListener("click", () => {
  let day = today - Math.round(0.4 * model.gap);
  const lines = [[1, 1.1], [0.8, 0.7], [1.2, 1.3], [0.9, 0.9], [1.1, 1.2], [1, 0.8]].map(([gap, factor]) => {
    const amount = Math.max(Math.round(100 * factor * model.amount) / 100, 0.01);
    const line = `${isoDate(day)}, ${amount}`;
    day -= Math.max(1, Math.round(gap * model.gap));
    return line;
  });
  byId("orders").value = lines.reverse().join("\n");
  byId("as-of").value = isoDate(today);
  form.requestSubmit();
});
byId("as-of").value = isoDate(today);

let answerWidth = 0;
new ResizeObserver(([entry]) => {
  const width = Math.floor(entry.contentRect.width);
  if (width !== answerWidth) { answerWidth = width; redraw(); }
}).observe(byId("answer"));
