// One customer: sends a request to /invocations and shows the forecast or the problems.
const byId = id => document.getElementById(id);
const form = byId("form"), model = JSON.parse(form.dataset.model);
lastDay = Math.max(lastDay, model.maxHorizon);
const MOST_DAYS = 365;  // for which value and large orders are forecast
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

// The request in the text: lines of date and amount, which may be left out where it is unknown, or
// JSON in any form that the server reads.
const parse = text => {
  if (!/^\s*[[{]/.test(text)) {
    const lines = [];
    text.split("\n").forEach((line, at) => {
      if (!line.trim()) return;
      const [date, ...rest] = line.trim().split(/[,;\t ]+/);
      const amount = rest.join(" ");
      const number = isFinite(amount) ? Number(amount) : amount;
      lines.push({ at, order: { date, ...(amount !== "" && { amount: number }) } });
    });
    return {
      request: { instances: [recordOf(lines.map(line => line.order), lines.map(line => line.at))] },
      lines: lines.map(line => line.at),
    };
  }
  refuseFields();
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
  const { horizons, interval_level, explain, value_horizons, large_thresholds, ...record } = parsed;
  return { request: { instances: [record], horizons, interval_level, explain, value_horizons, large_thresholds } };
};

const send = async (body, contentType) => {
  const response = await fetch("invocations", {
    method: "POST",
    headers: { "Content-Type": contentType, Accept: "application/json" },
    body,
  });
  const content = await response.json().catch(() => {
    throw new Error(`The answer is not JSON (status ${response.status}).`);
  });
  if (!response.ok) throw Object.assign(new Error(content.error.message), { refusal: content.error });
  return content.predictions;
};

const showProblems = (place, title, problems) => {
  const items = problems.map(({ message, hint }) =>
    element("li", {}, message, ...(hint ? [element("span", { class: "hint" }, hint)] : [])));
  byId(place).replaceChildren(element("p", {}, title), element("ul", {}, ...items));
};
const problemsOf = ({ refusal }) => {
  const { problems = [refusal], more = 0 } = refusal;
  return more ? [...problems, { message: `And ${more} more.` }] : problems;
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
    return showProblems("problems", title, [{ message: error.message }]);
  }
  let first = null;
  const problems = problemsOf(error).map(problem => {
    const order = /^orders\[(\d+)\]\.?/.exec(problem.field || "");
    let message = problem.message.replace(/^record \d+: /, lines ? "" : "$&");
    if (lines && order) {
      const line = lines[Number(order[1])];
      first ??= line;
      message = `Line ${line + 1}: ${message.replace(/orders\[\d+\]\.?/, "")}`;
    }
    return { message, hint: problem.hint };
  });
  showProblems("problems", "Please correct:", problems);
  const about = error.refusal.field || "";
  const wrong = fieldAbout(about) ?? (about.endsWith("as_of") ? byId("as-of") : orders);
  wrong.setAttribute("aria-invalid", "true");
  if (first !== null) {
    const start = orders.value.split("\n").slice(0, first).join("\n").length + (first > 0);
    orders.focus();
    orders.setSelectionRange(start, start + orders.value.split("\n")[first].length);
  }
};

// What is wrong with asking about a day, or nothing.
const dayWarning = date => {
  const day = dayNumber(date), from = dayNumber(model.firstDay), until = dayNumber(model.asOf);
  if (day < from)
    return `${longDate(day)} is before the model's data, which begin on ${longDate(from)}. ` +
      "It knows what came after: forecasts look better here than they are.";
  if (day < until)
    return `The model has learnt from orders until ${longDate(until)}, so it knows what came after ` +
      `${longDate(day)}: forecasts look better here than they are.`;
  const stale = day > until + model.staleAfter;
  if (stale || day > until + model.warnAfter)
    return `${longDate(day)} is ${day - until} days after the model's data, which end ` +
      `on ${longDate(until)}${stale ? ": the model is stale" : ""}. ` +
      "Statuses compare with the shop's average customer of that day, who may have " +
      "changed: train a new model.";
};
const warnings = date => [dayWarning(date)].filter(Boolean)
  .map(words => element("p", { class: "warning" }, words));

// A lead has not ordered yet: only when the first order comes is forecast.
const isLead = prediction => prediction.order_count === 0;
const probabilities = prediction =>
  isLead(prediction) ? prediction.first_order_probability : prediction.buy_probability;

// The shortest horizon within which an order is more likely than not, else the longest.
const headline = (prediction, horizons) => {
  const shares = probabilities(prediction), order = isLead(prediction) ? "order for the first time" : "order";
  const horizon = horizons.find(day => shares[day] >= 0.5) ?? horizons.at(-1);
  return `${percent(shares[horizon])} likely to ${order} within ${count(horizon, "day")}`;
};

const capital = word => word[0].toUpperCase() + word.slice(1);
const statusWords = prediction => {
  const waited = count(prediction.days_since_last_order, "day"), points = curve(prediction);
  const beside = day => `${percent(probabilityAt(points, day))} within ${day} days, where this shop's ` +
    `average customer has ${percent(model.average[day])}`;
  const usual = prediction.typical_gap_days;
  return {
    due: `among those most likely to order this week: ${beside(7)}.`,
    lapsed: `less likely to come back than most: ${beside(90)}.`,
    overdue: `has waited ${waited}, longer than four in five such gaps last.`,
    new: `has ordered once and waited ${waited} since; what is usual for this customer is not known yet.`,
    active: `has waited ${waited}${usual === null ? "" : `; the usual gap is ${count(usual, "day")}`}. ` +
      "The next order may come any day: the chances say how soon.",
  }[prediction.status] ?? model.statuses[prediction.status];
};

const summary = (prediction, horizons) => {
  const { next_order_date: next, next_order_date_low: low, next_order_date_high: high } = prediction;
  const date = next ? `The next order is as likely before as after ${longDate(dayNumber(next))}`
    : `An order within ${model.maxHorizon} days is less likely than not`;
  const until = high ? `and ${longDate(dayNumber(high))}` : "and some day beyond";
  const between = low
    ? `, with ${percent(prediction.interval_level)} between ${longDate(dayNumber(low))} ${until}` : "";
  return `${headline(prediction, horizons)}. ${date}${between}. ` +
    `${capital(prediction.status)}: ${statusWords(prediction)}`;
};

const interval = prediction => {
  const { next_order_date_low: low, next_order_date_high: high } = prediction;
  const level = `${percent(prediction.interval_level)} interval: `;
  if (!low) return `${level}beyond ${model.maxHorizon} days`;
  const from = longDate(dayNumber(low));
  return level + (high ? `${from} to ${longDate(dayNumber(high))}` : `from ${from}, open`);
};

// The chance of an order at each horizon: a figure, a bar, and the average customer's where known.
const chances = (prediction, horizons) => element("dl", { class: "chances" }, ...horizons.map(day => {
  const share = probabilities(prediction)[day];
  const average = isLead(prediction) ? undefined : model.average[day];
  const bar = element("span", { class: "chance" });
  bar.style.setProperty("--share", share);
  return element("div", {}, element("dt", {}, `Within ${count(day, "day")}`),
    element("dd", {}, percent(share)),
    element("dd", { class: "hint" }, bar, `by ${shortDate(dayNumber(prediction.as_of) + day)}`),
    ...(average === undefined ? [] : [element("dd", { class: "hint" }, `shop's average ${percent(average)}`)]),
    ...spending(prediction, day));
}));

const money = amount => amount === null ? "\u2013" : amount.toLocaleString("en-GB", amount < 100
  ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumFractionDigits: 0 });

// What the customer is expected to spend within so many days, with its interval.
const spending = ({ expected_value: value, value_low: low, value_high: high, interval_level: level }, day) =>
  value?.[day] == null ? [] : [
    element("dd", { class: "hint" }, `spends ${money(value[day])}`),
    element("dd", { class: "hint" }, `${percent(level)}: ${money(low[day])} to ${money(high[day])}`),
  ];
// What is to be said of it: why it is unknown, or why an interval begins at 0 and ends so soon.
const worth = ({ expected_value: value, value_low: low, value_high: high }) => {
  const days = Object.keys(value ?? {}), note = words => [element("p", { class: "hint" }, words)];
  if (days.some(day => value[day] === null))
    return note("What the customer will spend is unknown: an amount so far is.");
  const silent = days.filter(day => low[day] === 0 && high[day] <= value[day]);
  return silent.length ? note("Most likely no order comes within " +
    `${silent.map(day => count(Number(day), "day")).join(" or ")}: there the interval of what is spent begins at 0 ` +
    "and ends at what is expected, which may be 0 too.") : [];
};
// How likely an order above each amount is, at the horizons of the request.
const largeOrders = (prediction, horizons) =>
  Object.entries(prediction.large_order_probability ?? {}).map(([amount, chance]) => [
    `Order above ${Number(amount).toLocaleString("en-GB")}`,
    horizons.filter(day => chance[day] != null)
      .map(day => `${percent(chance[day])} within ${count(day, "day")}`).join(", ") ||
      "unknown: an amount so far is",
  ]);

// Fields that the page has elsewhere; every other one is listed, whatever it means.
const ELSEWHERE = new Set(["customer_id", "as_of", "days_since_last_order", "next_order_date",
  "next_order_date_low", "next_order_date_high", "interval_level", "order_gap_days", "typical_gap_days",
  "buy_probability", "first_order_probability", "status", "stale", "error", "expected_orders", "expected_value", "value_low", "value_high",
  "expected_order_amount", "large_order_probability"]);
const readable = value => {
  if (value === null) return "\u2013";
  if (typeof value === "number") return value.toLocaleString("en-GB", { maximumFractionDigits: 3 });
  if (/^\d{4}-\d\d-\d\d$/.test(value)) return longDate(dayNumber(value));
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(each => each.text ?? readable(each)).join("; ");
  return Object.entries(value).map(([key, each]) => `${key}: ${readable(each)}`).join(", ");
};
const otherFields = prediction => Object.entries(prediction)
  .filter(([name, value]) => !ELSEWHERE.has(name) && !(isLead(prediction) && value === null))
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

// Below the choice among several, what is forecast of one of them.
const show = (predictions, request, at, isExample) => {
  const prediction = predictions[at];
  const choice = element("select", { id: "customer" },
    ...predictions.map((each, k) => element("option", { value: k }, each.customer_id)));
  choice.value = String(at);
  choice.addEventListener("change", () => {
    show(predictions, request, Number(choice.value), isExample);
    byId("customer").focus();
  });
  const label = element("label", { for: "customer" }, `Customer, of ${predictions.length}`);
  const [words, ...parts] = isLead(prediction)
    ? leadParts(prediction, request) : customerParts(prediction, request, request.instances[at].orders);
  byId("answer").replaceChildren(
    ...(isExample ? [element("p", { class: "example" }, "An example, made up: six orders, about " +
      `${count(model.gap, "day")} apart. Enter those of a customer of yours.`)] : []),
    ...warnings(prediction.as_of),
    ...(predictions.length > 1 ? [element("div", { class: "customer" }, label, choice)] : []),
    element("p", { class: "headline" }, headline(prediction, request.horizons)), ...parts,
  );
  redraw();
  byId("announcement").textContent = words;
};

const leadParts = (prediction, request) => {
  redraw = () => {};
  return [
    `${headline(prediction, request.horizons)}.`,
    element("p", { class: "span" }, "A lead: there is no order yet."),
    chances(prediction, request.horizons), definitions("card", otherFields(prediction)), command(request),
  ];
};

const customerParts = (prediction, request, given) => {
  const { status, next_order_date: next } = prediction;
  const orders = given.map(order =>
    ({ ...order, amount: order.amount == null ? null : Number(order.amount) }));
  const waited = prediction.days_since_last_order, typical = prediction.typical_gap_days;
  const fields = [
    ["Last order", waited ? `${count(waited, "day")} ago` : "that day"],
    ["Usual gap", typical === null ? `over ${model.maxHorizon} days` : count(typical, "day")],
    ...(prediction.expected_order_amount == null ? []
      : [["Expected amount of an order", money(prediction.expected_order_amount)]]),
    ...largeOrders(prediction, request.horizons),
    ...otherFields(prediction),
  ];
  const words = summary(prediction, request.horizons), figure = element("figure", {});
  redraw = () => {
    const width = Math.max(280, Math.floor(figure.clientWidth));
    figure.replaceChildren(chart(prediction, orders, width, words));
  };
  return [
    words,
    element("p", { class: "span" },
      element("span", { class: `status ${status}` }, capital(status)), `: ${statusWords(prediction)}`),
    chances(prediction, request.horizons), ...worth(prediction),
    element("p", { class: "span" }, ...(next
      ? ["As likely before as after ", element("b", { class: "date" }, longDate(dayNumber(next)))]
      : [`An order within ${model.maxHorizon} days is less likely than not`]), `. ${interval(prediction)}.`),
    figure, definitions("card", fields), table(prediction), command(request),
  ];
};

let asked = 0;  // only the answer to the latest question is shown
form.addEventListener("submit", async event => {
  event.preventDefault();
  const question = ++asked, isExample = byId("orders").value === exampleOrders;
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
    const ahead = [].concat(request.horizons).filter(day => day <= MOST_DAYS);
    if (model.valueHorizons.length && ahead.length) request.value_horizons ??= ahead;
    if (model.largeThresholds.length) request.large_thresholds ??= model.largeThresholds;
    // The curve is the probability at many more horizons.
    const horizons = Array.isArray(request.horizons)
      ? [...new Set([...curveDays, ...request.horizons])] : request.horizons;
    const predictions =
      await send(JSON.stringify({ ...request, horizons }), "application/json; on_bad_record=error");
    if (question !== asked) return;
    if (predictions.length) show(predictions, request, 0, isExample);
    else showNothing("The request has no customers.");
  } catch (error) {
    if (question === asked) showError(error, lines);
  } finally {
    if (question === asked)
      for (const each of [form, byId("answer")]) each.setAttribute("aria-busy", "false");
  }
});

// The day that is asked about at first: today, or the model's last day where today is far from it.
const today = Math.floor(Date.now() / DAY), lastKnown = dayNumber(model.asOf);
const firstAsked = today >= lastKnown && today <= lastKnown + model.warnAfter ? today : lastKnown;
const exampleOrders = (() => {
  let day = firstAsked - Math.round(0.4 * model.gap);
  return [[1, 1.1], [0.8, 0.7], [1.2, 1.3], [0.9, 0.9], [1.1, 1.2], [1, 0.8]].map(([gap, factor]) => {
    const amount = Math.max(Math.round(100 * factor * model.amount) / 100, 0.01);
    const line = isoDate(day) + (model.amount === null ? "" : `, ${amount}`);
    day -= Math.max(1, Math.round(gap * model.gap));
    return line;
  }).reverse().join("\n");
})();
const showExample = () => {
  clearFields();
  byId("orders").value = exampleOrders;
  byId("as-of").value = isoDate(firstAsked);
  form.requestSubmit();
};
byId("example").addEventListener("click", showExample);
byId("lead-example")?.addEventListener("click", () => {
  const events = model.leadKinds.map((kind, k) => ({ date: isoDate(firstAsked - 20 + 2 * k), kind }));
  const record = { customer_id: "lead", first_seen: isoDate(firstAsked - 20), events };
  clearFields();
  byId("orders").value = JSON.stringify(record, null, 1);
  form.requestSubmit();
});
showExample();

let answerWidth = 0;
new ResizeObserver(([entry]) => {
  const width = Math.floor(entry.contentRect.width);
  if (width !== answerWidth) { answerWidth = width; redraw(); }
}).observe(byId("answer"));
