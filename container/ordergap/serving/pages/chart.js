"use strict";
// The chart of one forecast: past orders left of as_of, the probability of the next one right of it.
const DAY = 86400000, HEIGHT = 300, TOP = 34, BOTTOM = 262, LEFT = 44;
let lastDay = 365;  // of the curves that are requested

const svgElement = (name, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const dayNumber = date => Date.parse(date) / DAY;
const isoDate = day => new Date(day * DAY).toISOString().slice(0, 10);
const formatDay = (day, form) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...form }).format(new Date(day * DAY));
const shortDate = day => formatDay(day, { day: "numeric", month: "short" });
const longDate = day => formatDay(day, { day: "numeric", month: "long", year: "numeric" });
const percent = share => {
  const whole = Math.round(100 * share);
  if (whole === 100 && share < 1) return "over 99\u00a0%";
  return whole === 0 && share > 0 ? "under 1\u00a0%" : `${whole}\u00a0%`;
};

// [days from as_of, probability of having bought by then], rising.
const curve = prediction =>
  [[0, 0], ...Object.entries(prediction.buy_probability).map(([day, p]) => [Number(day), p])
    .filter(([day]) => day <= lastDay)];

const probabilityAt = (points, day) => {
  const right = points.findIndex(([at]) => at >= day);
  if (right <= 0) return right ? points.at(-1)[1] : points[0][1];
  const [[a, p], [b, q]] = [points[right - 1], points[right]];
  return p + (q - p) * (day - a) / (b - a);
};

// [day, label] below the chart, at most so many: weeks where it is short, else months.
const ticks = (from, to, most) => {
  const week = [7, 14].find(each => (to - from) / each <= most);
  if (week)
    return Array.from({ length: Math.floor((to - from) / week) + 1 },
      (_, k) => [from + k * week, shortDate(from + k * week)]);
  const start = new Date(from * DAY), first = 12 * start.getUTCFullYear() + start.getUTCMonth() + 1;
  const every = [1, 2, 3, 4, 6, 12].find(each => (to - from) / 30.4 / each <= most) ?? 12;
  const labels = [];
  for (let month = first + (-first % every + every) % every; ; month += every) {
    const day = Date.UTC(Math.floor(month / 12), month % 12) / DAY;
    if (day > to) return labels;
    const year = month % 12 < every || !labels.length ? { year: "numeric" } : {};
    labels.push([day, formatDay(day, { month: "short", ...year })]);
  }
};

const chart = (prediction, orders, width, description) => {
  const points = curve(prediction), now = dayNumber(prediction.as_of);
  const offset = date => date === null ? null : dayNumber(date) - now;
  const next = offset(prediction.next_order_date);
  const low = offset(prediction.next_order_date_low);
  const high = offset(prediction.next_order_date_high);
  const nearlyCertain = points.find(([, p]) => p >= 0.97)?.[0] ?? lastDay;
  const needed = Math.max(1.15 * (high ?? lastDay), Math.min(nearlyCertain, 2 * (high ?? lastDay)));
  const future = [14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 540]
    .find(each => each >= needed && each <= lastDay) ?? lastDay;
  const ages = orders.map(order => now - dayNumber(order.date))
    .filter(age => age >= 0 && 1.08 * age <= 1.5 * future).sort((a, b) => a - b);
  const past = Math.round(Math.max(0.6 * future, 1.08 * (ages.slice(0, 6).at(-1) ?? 0)));
  const right = width - 12;
  const x = day => LEFT + (day + past) / (past + future) * (right - LEFT);
  const y = share => BOTTOM - share * (BOTTOM - TOP);
  const line = (kind, x1, y1, x2, y2) => svgElement("line", { class: kind, x1, y1, x2, y2 });
  const text = (kind, at, up, words, anchor) => {
    const half = 3.3 * words.length;
    const inside = anchor ? at : Math.min(Math.max(at, half), width - half);
    return svgElement("text", { class: kind, x: inside, y: up, "text-anchor": anchor ?? "middle" }, words);
  };
  const parts = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1])
    parts.push(line("grid", LEFT, y(share), right, y(share)),
      text("tick", LEFT - 8, y(share) + 4, `${100 * share}\u00a0%`, "end"));
  for (const [day, words] of ticks(now - past, now + future, Math.floor(width / 84)))
    if (x(day - now) - LEFT > 14) parts.push(text("tick", x(day - now), BOTTOM + 20, words));

  if (low !== null) {
    const end = x(Math.min(high ?? future, future));
    parts.push(svgElement("rect",
      { class: "band", x: x(low), y: TOP, width: Math.max(end - x(low), 2), height: BOTTOM - TOP }));
  }
  const drawn = orders.map(order => ({ ...order, day: dayNumber(order.date) - now }))
    .filter(order => order.day <= 0 && order.day >= -past);
  const largest = Math.max(...drawn.map(order => order.amount));
  for (const order of drawn) {
    const height = BOTTOM - 12 - 52 * (order.amount / largest || 0);
    parts.push(svgElement("g", {}, line("order", x(order.day), BOTTOM, x(order.day), height),
      svgElement("circle", { class: "order-head", cx: x(order.day), cy: height, r: 3 }),
      svgElement("title", {}, longDate(now + order.day) + (order.amount === null ? "" : `: ${order.amount}`))));
  }
  const shown = points.filter(([day]) => day <= future);
  const path = shown.map(([day, p]) => `${x(day).toFixed(1)} ${y(p).toFixed(1)}`).join("L");
  const area = `M${path}L${x(shown.at(-1)[0])} ${BOTTOM}L${x(0)} ${BOTTOM}Z`;
  parts.push(
    svgElement("path", { class: "area", d: area }),
    svgElement("path", { class: "line", d: `M${path}` }),
    line("axis", LEFT, BOTTOM, right, BOTTOM),
    line("now", x(0), TOP, x(0), BOTTOM + 6),
    text("strong", x(0), BOTTOM + 36, `as of ${shortDate(now)}`),
  );
  if (next !== null && next <= future)
    parts.push(line("then", x(next), TOP, x(next), BOTTOM),
      svgElement("circle", { class: "point", cx: x(next), cy: y(probabilityAt(points, next)), r: 5 }),
      text("strong", x(next), TOP - 10, shortDate(now + next)));
  parts.push(text("label", 0, 12, "bought by then", "start"));

  const reading = svgElement("g", { class: "reading", visibility: "hidden" });
  const surface = svgElement("rect",
    { class: "surface", x: x(0), y: TOP, width: right - x(0), height: BOTTOM - TOP });
  surface.addEventListener("pointermove", event => {
    const box = surface.getBoundingClientRect();
    const pointed = Math.round((event.clientX - box.left) / box.width * future);
    const day = Math.min(Math.max(pointed, 1), future);
    const share = probabilityAt(points, day), words = `by ${shortDate(now + day)}: ${percent(share)}`;
    const half = 3.9 * words.length, at = Math.min(Math.max(x(day), x(0) + half), right - half);
    reading.replaceChildren(line("", x(day), TOP, x(day), BOTTOM),
      svgElement("circle", { cx: x(day), cy: y(share), r: 4 }),
      svgElement("rect", { x: at - half, y: BOTTOM - 26, width: 2 * half, height: 20, rx: 4 }),
      text("strong", at, BOTTOM - 12, words));
    reading.setAttribute("visibility", "visible");
  });
  surface.addEventListener("pointerleave", () => reading.setAttribute("visibility", "hidden"));
  return svgElement("svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-labelledby": "curve-title curve-desc" },
    svgElement("title", { id: "curve-title" }, "Probability of having bought, by day"),
    svgElement("desc", { id: "curve-desc" }, description), ...parts, reading, surface);
};
