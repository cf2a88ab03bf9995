// The form: what is asked, how it is answered or refused.
const byId = id => document.getElementById(id);
const form = byId("form"), told = form.dataset;
const horizons = told.horizons.split(",").map(Number), furthest = Number(told.furthest);
last = Math.max(last, furthest);
const days = [];
for (let day = 1; day <= last; day += day < 60 ? 1 : 5) days.push(day);

const make = (name, attributes = {}, ...inside) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

let redraw = () => {};

// What is asked: lines of date and amount, or JSON in any of the forms that the server takes.
const records = text => {
  if (!/^\s*[[{]/.test(text)) {
    const lines = [];
    text.split("\n").forEach((line, at) => {
      if (!line.trim()) return;
      const [date, ...rest] = line.trim().split(/[,;\t ]+/);
      const amount = rest.join(" ");
      lines.push({ at, order: { date, amount: amount !== "" && isFinite(amount) ? Number(amount) : amount } });
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

const ask = async request => {
  const response = await fetch("invocations", {
    method: "POST",
    headers: { "Content-Type": "application/json; on_bad_record=error", Accept: "application/json" },
    body: JSON.stringify(request),
  });
  const content = await response.json().catch(() => {
    throw new Error(`What answered is no JSON (status ${response.status}).`);
  });
  if (!response.ok) throw Object.assign(new Error(content.error.message), { told: content.error });
  return content.predictions;
};

const complain = (title, problems) => {
  const listed = problems.map(({ message, hint }) =>
    make("li", {}, message, ...(hint ? [make("span", { class: "hint" }, hint)] : [])));
  byId("problems").replaceChildren(make("p", {}, title), make("ul", {}, ...listed));
};

const empty = words => {
  redraw = () => {};
  byId("answer").replaceChildren(make("p", { class: "absent" }, words));
};

const refuse = (error, lines) => {
  const orders = byId("orders");
  empty("There is no forecast.");
  if (!error.told) {
    const unread = error instanceof SyntaxError;
    return complain(unread ? "This is not JSON." : "The server did not answer.", [{ message: error.message }]);
  }
  let first = null;
  const problems = (error.told.problems || [error.told]).map(problem => {
    const place = /^orders\[(\d+)\]\.?/.exec(problem.field || "");
    let message = problem.message.replace(/^record \d+: /, lines ? "" : "$&");
    if (lines && place) {
      const line = lines[Number(place[1])];
      first ??= line;
      message = `Line ${line + 1}: ${message.replace(/orders\[\d+\]\.?/, "")}`;
    }
    return { message, hint: problem.hint };
  });
  complain("The model was not asked:", problems);
  if ((error.told.field || "").endsWith("as_of")) byId("as-of").setAttribute("aria-invalid", "true");
  else orders.setAttribute("aria-invalid", "true");
  if (first !== null) {
    const start = orders.value.split("\n").slice(0, first).join("\n").length + (first > 0);
    orders.focus();
    orders.setSelectionRange(start, start + orders.value.split("\n")[first].length);
  }
};

const summary = prediction => {
  const { next_order_date: next, next_order_date_low: low, next_order_date_high: high } = prediction;
  const interval = `${Math.round(100 * prediction.interval_level)}\u00a0%`;
  const date = next ? `Next order expected on ${long(number(next))}` : `No order expected within ${furthest} days`;
  const until = high ? `and ${long(number(high))}` : "and some day beyond";
  const between = low ? `, with ${interval} between ${long(number(low))} ${until}` : "";
  return `${date}${between}. Status ${prediction.status}: ${told[prediction.status]}.`;
};

const span = prediction => {
  const { next_order_date_low: low, next_order_date_high: high } = prediction;
  const level = `${Math.round(100 * prediction.interval_level)}\u00a0% interval: `;
  if (!low) return `${level}beyond ${furthest} days`;
  return level + (high ? `${long(number(low))} to ${long(number(high))}` : `from ${long(number(low))}, open`);
};

const table = prediction => {
  const points = curve(prediction).slice(1), now = number(prediction.as_of);
  const rows = [1, 3, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, last].map(day => make("tr", {},
    make("th", { scope: "row" }, long(now + day)), make("td", { class: "n" }, String(day)),
    make("td", { class: "n" }, percent(chances(points, day)))));
  const head = make("tr", {}, make("th", { scope: "col" }, "By"), make("th", { scope: "col", class: "n" }, "Days"),
    make("th", { scope: "col", class: "n" }, "Bought"));
  return make("details", {}, make("summary", {}, "The figures"),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Probability by day" },
      make("table", {}, make("caption", {}, "Probability of having bought, by day"), make("thead", {}, head), make("tbody", {}, ...rows))));
};

const program = request => {
  const body = JSON.stringify(request).replaceAll("'", "'\\''");
  const words = `curl ${new URL("invocations", location.href)} -H 'Content-Type: application/json' -d '${body}'`;
  return make("details", {}, make("summary", {}, "The same from a program"), make("pre", { tabindex: "0", role: "group", "aria-label": "Command" }, words));
};

const show = (predictions, request) => {
  const answer = byId("answer");
  const present = at => {
    const prediction = predictions[at];
    const orders = request.instances[at].orders.map(order => ({ ...order, amount: Number(order.amount) }));
    const next = prediction.next_order_date;
    const figures = [
      ...request.horizons.map(day => [`Within ${count(day, "day")}`, percent(prediction.buy_probability[day])]),
      ["Last order", prediction.days_since_last_order ? `${count(prediction.days_since_last_order, "day")} ago` : "that day"],
      ["Usual gap", prediction.typical_gap_days === null ? `over ${furthest} days` : count(prediction.typical_gap_days, "day")],
    ];
    const figure = make("figure", {});
    redraw = () => figure.replaceChildren(chart(prediction, orders, Math.max(280, Math.floor(figure.clientWidth)), summary(prediction)));
    const choice = make("select", { id: "who" }, ...predictions.map((each, k) => make("option", { value: k }, each.customer_id)));
    choice.value = String(at);
    choice.addEventListener("change", () => { present(Number(choice.value)); byId("who").focus(); });
    answer.replaceChildren(
      ...(predictions.length > 1 ? [make("div", { class: "who" }, make("label", { for: "who" }, `Customer, of ${predictions.length}`), choice)] : []),
      make("p", { class: "expected" }, "Next order"),
      make("p", { class: "date" }, next ? long(number(next)) : `Not within ${furthest} days`),
      make("p", { class: "span" }, span(prediction)),
      make("p", { class: "span" }, make("span", { class: `status ${prediction.status}` }, prediction.status[0].toUpperCase() + prediction.status.slice(1)), `: ${told[prediction.status]}`),
      make("dl", { class: "key" }, ...figures.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))),
      figure, table(prediction), program(request),
    );
    redraw();
    byId("said").textContent = summary(prediction);
  };
  if (predictions.length) return present(0);
  empty("No customer was asked about.");
};

form.addEventListener("submit", async event => {
  event.preventDefault();
  if (form.getAttribute("aria-busy") === "true") return;
  const answer = byId("answer");
  byId("problems").replaceChildren();
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  for (const each of [form, answer]) each.setAttribute("aria-busy", "true");
  let lines;
  try {
    const read = records(byId("orders").value);
    lines = read.lines;
    const request = { interval_level: Number(byId("level").value), ...JSON.parse(JSON.stringify(read.request)) };
    if (byId("as-of").value) request.as_of ??= byId("as-of").value;
    request.horizons ??= horizons;
    const also = Array.isArray(request.horizons) ? { horizons: [...new Set([...days, ...request.horizons])] } : {};
    show(await ask({ ...request, ...also }), request);
  } catch (error) {
    refuse(error, lines);
  } finally {
    for (const each of [form, answer]) each.setAttribute("aria-busy", "false");
  }
});

const today = Math.floor(Date.now() / DAY);
byId("example").addEventListener("click", () => {
  const gap = Number(told.gap), amount = Number(told.amount);
  let day = today - Math.round(0.4 * gap);
  const lines = [[1, 1.1], [0.8, 0.7], [1.2, 1.3], [0.9, 0.9], [1.1, 1.2], [1, 0.8]].map(([wait, worth]) => {
    const line = `${iso(day)}, ${Math.max(Math.round(100 * worth * amount) / 100, 0.01)}`;
    day -= Math.max(1, Math.round(wait * gap));
    return line;
  });
  byId("orders").value = lines.reverse().join("\n");
  byId("as-of").value = iso(today);
  form.requestSubmit();
});
byId("as-of").value = iso(today);

let width = 0;
new ResizeObserver(([entry]) => {
  const now = Math.floor(entry.contentRect.width);
  if (now !== width) { width = now; redraw(); }
}).observe(byId("answer"));
