// Many customers: sends a file's order lines to /invocations and ranks who is most likely next.
const linesForm = byId("lines-form"), STEP = 25, WEEK = 7;
const LEVEL = 0.8, MARGIN = 1.2816;  // standard deviations to either side that hold with that level
const NOBODY = new Set(model.nobody), FORMULA = new Set(model.formula);
const number = value => value.toLocaleString("en-GB", { maximumFractionDigits: 0 });
const mebibytes = bytes => (bytes / 2 ** 20).toLocaleString("en-GB", { maximumFractionDigits: 1 });
const refuseLarger = (what, bytes) => bytes > model.maxBody && refuse(
  `${what} ${mebibytes(bytes)} MiB, and this server takes at most ${mebibytes(model.maxBody)} MiB`,
  "leave out columns or customers, use `ordergap predict`, or raise ORDERGAP_MAX_BODY_MB of the server");

// The rows of a CSV text, without blank ones: their text, the number of their first line, cells.
function* csvRows(text, delimiter) {
  let begin = 0, cell = 0, cells = [], line = 1, first = 1, quoted = false;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at], ends = at === text.length || (character === "\n" && !quoted);
    if (character === '"' && text[cell] === '"') quoted = !quoted;
    if (character === "\n") line++;
    if (!ends && (character !== delimiter || quoted)) continue;
    const content = text.slice(cell, at).trim();
    cells.push(content[0] === '"' ? content.slice(1, -1).replaceAll('""', '"').trim() : content);
    cell = at + 1;
    if (!ends) continue;
    if (cells.some(Boolean)) yield { text: text.slice(begin, at).replace(/\r$/, ""), line: first, cells };
    [begin, cells, first] = [at + 1, [], line];
  }
}

// Header, rows, and the day of each, NaN where the server alone can read it.
const readLines = text => {
  if (!text.trim()) refuse("There are no order lines", "choose a file, or paste them with their header");
  if (text.includes("\0")) refuse("This is not text", "save the table as CSV, in UTF-8");
  const needed = [model.customerColumn, model.dateColumn];
  const delimiter = [...",;\t|"].find(each => {
    const { cells } = csvRows(text, each).next().value;
    return needed.every(name => cells.includes(name));
  }) ?? refuse(`The first line does not name ${needed.join(" and ")}`, "put the names of the columns there");
  const [header, ...rows] = csvRows(text, delimiter);
  const [customer, date] = needed.map(name => header.cells.indexOf(name));
  const dates = rows.map(({ cells }) => cells[date] ?? "");
  // As the server decides it: by the model's dates, else by a day that can be no month.
  const order = model.dateOrder
    ?? (dates.some(each => /^(1[3-9]|[23]\d)[-/.]\d/.test(each)) ? "day-first"
      : dates.some(each => /^\d\d?[-/.](1[3-9]|[23]\d)[-/.]/.test(each)) ? "month-first" : null);
  const dayOf = each => {
    const iso = /^(\d{4})[-/.](\d\d?)[-/.](\d\d?)(?!\d)/.exec(each)?.slice(1);
    const parts = /^(\d\d?)[-/.](\d\d?)[-/.](\d{4})(?!\d)/.exec(each)?.slice(1) ?? [];
    const orders = { "day-first": [parts[2], parts[1], parts[0]], "month-first": [parts[2], parts[0], parts[1]] };
    const [year, month, day] = iso ?? orders[order] ?? [];
    return Date.UTC(year, month - 1, day) / DAY;
  };
  return {
    header: header.text,
    rows: rows.map(({ text, line, cells }, k) =>
      ({ text, line, named: !NOBODY.has((cells[customer] ?? "").toLowerCase()), day: dayOf(dates[k]) })),
  };
};

let source = Promise.resolve({ text: "" }), taken;  // `taken` ends when As of is set
const readFile = async file => {
  if (file.size > 8 * model.maxBody) refuseLarger("The file has", file.size);  // else some may be left out
  const bytes = await file.arrayBuffer().catch(() => refuse("The file cannot be read", "choose it again"));
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return {
      text: new TextDecoder("windows-1252").decode(bytes),
      notes: ["The file is not UTF-8 and was read as Windows-1252."],
    };
  }
};
// New lines: asked about is their last day, where it can be read.
const take = async reading => {
  const asOf = byId("lines-as-of"), before = asOf.value;
  source = reading;
  byId("lines-as-of-hint").textContent = "";
  try {
    const days = readLines((await reading).text).rows.map(row => row.day).filter(day => !isNaN(day));
    if (!days.length || source !== reading || asOf.value !== before) return;
    asOf.value = isoDate(days.reduce((a, b) => Math.max(a, b)));
    byId("lines-as-of-hint").textContent = "As of the last day of these lines.";
  } catch { /* it is said when the list is asked for */ }
};
byId("file").addEventListener("change", () => {
  const [file] = byId("file").files;
  byId("lines").value = "";
  taken = take(file ? readFile(file) : Promise.resolve({ text: "" }));
});
byId("lines").addEventListener("input", () => {
  byId("file").value = "";
  taken = take(Promise.resolve({ text: byId("lines").value }));
});
// Chromium takes seconds to insert a thousand lines, unless they come as the value.
byId("lines").addEventListener("paste", event => {
  const { target } = event;
  event.preventDefault();
  target.setRangeText(event.clipboardData.getData("text"), target.selectionStart, target.selectionEnd, "end");
  target.dispatchEvent(new Event("input"));
});
byId("lines-as-of").value = isoDate(firstAsked);

// How many are expected to order within a week, as `models/population.py`, and for how much: null where
// an amount is unknown.
const expectedWeek = predictions => {
  let mean = 0, variance = 0, amount = 0;
  for (const { buy_probability: { [WEEK]: p }, usual_amount: usual } of predictions)
    [mean, variance, amount] =
      [mean + p, variance + p * (1 - p), amount === null || usual === null ? null : amount + p * usual];
  const margin = MARGIN * Math.sqrt(variance + (model.weeklyError * mean) ** 2);
  return { mean, low: Math.max(mean - margin, 0), high: Math.min(mean + margin, predictions.length), amount };
};

// A cell that a spreadsheet would take for a formula gets an apostrophe in front.
const csvCell = value => {
  const text = typeof value === "string" ? (FORMULA.has(value.replace(/^'+/, "")[0]) ? `'${value}` : value) : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csvOf = predictions => {
  const leaves = ([name, value]) => value && typeof value === "object"
    ? Object.entries(value).flatMap(([key, each]) => leaves([`${name}_${key}`, each])) : [[name, value]];
  const flat = predictions.map(({ error, ...fields }) => Object.entries(fields).flatMap(leaves));
  return [flat[0].map(([name]) => name), ...flat.map(row => row.map(([, value]) => value))]
    .map(row => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
};
const download = (name, text) => {
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
};

const select = (id, words, options) => {
  const choice = element("select", { id },
    ...options.map(([value, name]) => element("option", { value }, name)));
  return [element("div", {}, element("label", { for: id }, words), choice), choice];
};

const showList = (predictions, horizons, asOf, notes) => {
  const amounts = predictions.some(each => each.usual_amount !== null);
  const valueOf = each => each.expected_value?.[horizon.value] ?? null;
  const valued = amounts && predictions.some(each => each.expected_value);
  const week = expectedWeek(predictions), statuses = {};
  for (const { status } of predictions) statuses[status] = (statuses[status] ?? 0) + 1;
  const [within, horizon] = select("list-horizon", "Within", horizons.map(day => [day, count(day, "day")]));
  const [ranked, order] = select("list-order", "Ranked by",
    [["chance", "chance"], ...(amounts ? [["amount", "chance × usual amount"]] : []),
      ...(valued ? [["value", "expected value"]] : [])]);
  const [who, status] = select("list-status", "Customers", [["", `all (${number(predictions.length)})`],
    ...Object.keys(model.statuses).filter(each => statuses[each])
      .map(each => [each, `${each} (${number(statuses[each])})`])]);
  const button = words => element("button", { type: "button", class: "secondary" }, words);
  const box = element("div", {}), save = button("Download"), more = button("Show more");
  let rows, shown;
  const refill = () => {
    const chance = each => each.buy_probability[horizon.value];
    const key = {
      chance,
      amount: each => each.usual_amount === null ? chance(each) - 2 : chance(each) * each.usual_amount,
      value: each => valueOf(each) ?? chance(each) - 2,
    }[order.value];
    rows = predictions.filter(each => !status.value || each.status === status.value)
      .map(each => [key(each), each]).sort(([a], [b]) => b - a).map(([, each]) => each);
    const column = (words, kind) => element("th", { scope: "col", ...(kind && { class: kind }) }, words);
    const body = rows.slice(0, shown).map(each => {
      const bar = element("span", { class: "chance" });
      bar.style.setProperty("--share", chance(each));
      return element("tr", {}, element("th", { scope: "row" }, each.customer_id),
        element("td", {}, formatDay(dayNumber(each.last_order_date),
          { day: "numeric", month: "short", year: "numeric" })),
        element("td", { class: "n" }, percent(chance(each)), bar),
        ...(amounts ? [element("td", { class: "n" }, money(each.usual_amount))] : []),
        ...(valued ? [element("td", { class: "n" }, money(valueOf(each)))] : []),
        element("td", {}, element("span", { class: `status ${each.status}` }, capital(each.status))));
    });
    const words = `${rows.length > shown ? `The first ${shown} of ` : ""}${number(rows.length)} customers by ` +
      `${order.selectedOptions[0].textContent} within ${count(Number(horizon.value), "day")}.`;
    byId("list-announcement").textContent = words;
    box.replaceChildren(element("table", { class: "ranked" },
      element("caption", {}, `${words} The download has them all, as CSV.`),
      element("thead", {}, element("tr", {}, column("Customer"), column("Last order"), column("Chance", "n"),
        ...(amounts ? [column("Usual amount", "n")] : []), ...(valued ? [column("Expected value", "n")] : []),
        column("Status"))),
      element("tbody", {}, ...body)));
    more.hidden = shown >= rows.length;
    if (more.hidden && document.activeElement === more) save.focus();
  };
  const restart = () => { shown = STEP; refill(); };
  for (const each of [horizon, order, status]) each.addEventListener("change", restart);
  more.addEventListener("click", () => { shown += 4 * STEP; refill(); });
  save.addEventListener("click", () => download(`most-likely-next-${asOf}.csv`, csvOf(rows)));
  const worth = week.amount === null ? ""
    : `, for about ${week.amount.toLocaleString("en-GB", { maximumSignificantDigits: 3 })}`;
  const words = `${number(week.mean)} of ${number(predictions.length)} customers ` +
    `${Math.round(week.mean) === 1 ? "is" : "are"} expected to order within ${WEEK} days${worth}`;
  byId("list").replaceChildren(...warnings(asOf),
    element("p", { class: "headline" }, words),
    element("p", { class: "span" }, `The sum of their chances as of ${longDate(dayNumber(asOf))}. ` +
      `${percent(LEVEL)} interval: ${number(week.low)} to ${number(week.high)} customers.`),
    ...notes.map(note => element("p", { class: "hint" }, note)),
    element("div", { class: "choices" }, within, ranked, who, save), box, more,
    element("details", {}, element("summary", {}, "What the statuses mean"),
      definitions("meanings", Object.entries(model.statuses).map(([name, words]) => [capital(name), words]))));
  restart();
  byId("list-announcement").textContent = `${words}. The list begins with ${rows[0].customer_id}.`;
};

linesForm.addEventListener("submit", async event => {
  event.preventDefault();
  if (linesForm.getAttribute("aria-busy") === "true") return;
  byId("lines-problems").replaceChildren();
  const busy = value => {
    for (const each of [linesForm, byId("list")]) each.setAttribute("aria-busy", String(value));
  };
  let kept = [];
  busy(true);
  byId("list-announcement").textContent = "The server is at work.";
  try {
    await taken;
    const asOf = byId("lines-as-of").value;
    if (!asOf) refuse("As of is empty", "name the day at whose end the forecasts are made");
    const { text, notes = [] } = await source, { header, rows } = readLines(text);
    const unnamed = rows.filter(row => !row.named).length;
    kept = rows.filter(row => row.named && !(row.day > dayNumber(asOf)));
    const later = rows.length - unnamed - kept.length;
    if (!kept.length) refuse("No line names a customer and is dated until the day of As of");
    const body = new Blob([[header, ...kept.map(row => row.text)].join("\n")]);
    refuseLarger("The lines to be sent have", body.size);
    const horizons = [...new Set([WEEK, ...model.horizons])].sort((a, b) => a - b);
    const value = horizons.filter(day => model.valueHorizons.length && day <= MOST_DAYS);
    const answers = await send(body, `text/csv; as_of=${asOf}; horizons="${horizons}"; on_bad_record=placeholder; ` +
      `value_horizons="${value.length ? value : "off"}"; large_thresholds=off`);
    const predictions = answers.filter(each => each.error === null);
    if (!predictions.length) refuse("No customer has an order: all lines are cancelled, free or not products");
    const leftOut = (n, what, why) => n
      ? [`${number(n)} ${what}${n === 1 ? " is" : "s are"} left out: ${why}.`] : [];
    showList(predictions, horizons, asOf, [...notes,
      ...leftOut(unnamed, "line", "no customer is named there"),
      ...leftOut(later, "line", `later than ${longDate(dayNumber(asOf))}`),
      ...leftOut(answers.length - predictions.length, "customer",
        "all their lines are cancelled, free or not products")]);
  } catch (error) {
    byId("list").replaceChildren(element("p", { class: "absent" }, "There is no list."));
    byId("list-announcement").textContent = "";
    showProblems("lines-problems", error.refusal ? "Please correct:" : "The server did not answer.",
      error.refusal ? problemsOf(error).map(({ message, hint, record }) => ({
        // The server counts the lines that it got.
        message: message.replace(/^(row|line) \d+/, words => kept[record] ? `Line ${kept[record].line}` : words),
        hint,
      })) : [{ message: error.message }]);
  } finally {
    busy(false);
  }
});
