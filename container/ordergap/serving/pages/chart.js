"use strict";
// The chart of one forecast: past orders left of as_of, the probability of the next one right of it.
const DAY = 86400000, HEIGHT = 300, TOP = 34, BOTTOM = 262, LEFT = 44;
let last = 365;  // day of the curves that are asked for

const draw = (name, attributes = {}, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};
const number = day => Date.parse(day) / DAY;
const iso = day => new Date(day * DAY).toISOString().slice(0, 10);
const spoken = (day, form) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...form }).format(new Date(day * DAY));
const short = day => spoken(day, { day: "numeric", month: "short" });
const long = day => spoken(day, { day: "numeric", month: "long", year: "numeric" });
const percent = share => {
  const whole = Math.round(100 * share);
  if (whole === 100 && share < 1) return "over 99\u00a0%";
  return whole === 0 && share > 0 ? "under 1\u00a0%" : `${whole}\u00a0%`;
};

// Days from as_of on, and the probability of having bought by then.
const curve = prediction =>
  [[0, 0], ...Object.entries(prediction.buy_probability).map(([day, p]) => [Number(day), p])
    .filter(([day]) => day <= last)];

const chances = (points, day) => {
  const right = points.findIndex(([at]) => at >= day);
  if (right <= 0) return right ? points.at(-1)[1] : points[0][1];
  const [[a, p], [b, q]] = [points[right - 1], points[right]];
  return p + (q - p) * (day - a) / (b - a);
};

// Days to be named below the chart, at most so many: weeks where it is short, else months.
const ticks = (from, to, most) => {
  const week = [7, 14].find(each => (to - from) / each <= most);
  if (week) return Array.from({ length: Math.floor((to - from) / week) + 1 }, (_, k) => [from + k * week, short(from + k * week)]);
  const start = new Date(from * DAY), first = 12 * start.getUTCFullYear() + start.getUTCMonth() + 1;
  const every = [1, 2, 3, 4, 6, 12].find(each => (to - from) / 30.4 / each <= most) ?? 12;
  const named = [];
  for (let month = first + (-first % every + every) % every; ; month += every) {
    const day = Date.UTC(Math.floor(month / 12), month % 12) / DAY;
    if (day > to) return named;
    const year = month % 12 < every || !named.length ? { year: "numeric" } : {};
    named.push([day, spoken(day, { month: "short", ...year })]);
  }
};

const chart = (prediction, orders, width, described) => {
  const points = curve(prediction), now = number(prediction.as_of);
  const offset = date => date === null ? null : number(date) - now;
  const next = offset(prediction.next_order_date);
  const low = offset(prediction.next_order_date_low), high = offset(prediction.next_order_date_high);
  const sure = points.find(([, p]) => p >= 0.97);
  const wanted = Math.max(1.15 * (high ?? last), Math.min(sure ? sure[0] : last, 2 * (high ?? last)));
  const future = [14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 540].find(each => each >= wanted && each <= last) ?? last;
  const ages = orders.map(order => now - number(order.date)).filter(age => age >= 0 && 1.08 * age <= 1.5 * future);
  const past = Math.round(Math.max(0.6 * future, 1.08 * (ages.sort((a, b) => a - b).slice(0, 6).at(-1) ?? 0)));
  const right = width - 12;
  const x = day => LEFT + (day + past) / (past + future) * (right - LEFT);
  const y = share => BOTTOM - share * (BOTTOM - TOP);
  const line = (kind, x1, y1, x2, y2) => draw("line", { class: kind, x1, y1, x2, y2 });
  const text = (kind, at, up, words, anchor) => {
    const half = 3.3 * words.length;
    const inside = anchor ? at : Math.min(Math.max(at, half), width - half);
    return draw("text", { class: kind, x: inside, y: up, "text-anchor": anchor ?? "middle" }, words);
  };
  const parts = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1])
    parts.push(line("grid", LEFT, y(share), right, y(share)), text("tick", LEFT - 8, y(share) + 4, `${100 * share}\u00a0%`, "end"));
  for (const [day, words] of ticks(now - past, now + future, Math.floor(width / 84)))
    if (x(day - now) - LEFT > 14) parts.push(text("tick", x(day - now), BOTTOM + 20, words));

  if (low !== null)
    parts.push(draw("rect", { class: "band", x: x(low), y: TOP, width: Math.max(x(Math.min(high ?? future, future)) - x(low), 2), height: BOTTOM - TOP }));
  const seen = orders.map(order => ({ ...order, day: number(order.date) - now }))
    .filter(order => order.day <= 0 && order.day >= -past);
  const most = Math.max(...seen.map(order => order.amount));
  for (const order of seen) {
    const height = BOTTOM - 12 - 52 * (order.amount / most || 0);
    parts.push(draw("g", {}, line("order", x(order.day), BOTTOM, x(order.day), height),
      draw("circle", { class: "order-head", cx: x(order.day), cy: height, r: 3 }),
      draw("title", {}, `${long(now + order.day)}: ${order.amount}`)));
  }
  const shown = points.filter(([day]) => day <= future);
  const path = shown.map(([day, p]) => `${x(day).toFixed(1)} ${y(p).toFixed(1)}`).join("L");
  parts.push(
    draw("path", { class: "area", d: `M${path}L${x(shown.at(-1)[0])} ${BOTTOM}L${x(0)} ${BOTTOM}Z` }),
    draw("path", { class: "line", d: `M${path}` }),
    line("axis", LEFT, BOTTOM, right, BOTTOM),
    line("now", x(0), TOP, x(0), BOTTOM + 6),
    text("strong", x(0), BOTTOM + 36, `as of ${short(now)}`),
  );
  if (next !== null && next <= future)
    parts.push(line("then", x(next), TOP, x(next), BOTTOM),
      draw("circle", { class: "point", cx: x(next), cy: y(chances(points, next)), r: 5 }),
      text("strong", x(next), TOP - 10, short(now + next)));
  parts.push(text("label", 0, 12, "bought by then", "start"));

  const reading = draw("g", { class: "reading", visibility: "hidden" });
  const under = draw("rect", { class: "under", x: x(0), y: TOP, width: right - x(0), height: BOTTOM - TOP });
  under.addEventListener("pointermove", event => {
    const box = under.getBoundingClientRect();
    const day = Math.min(Math.max(Math.round((event.clientX - box.left) / box.width * future), 1), future);
    const share = chances(points, day), words = `by ${short(now + day)}: ${percent(share)}`;
    const half = 3.9 * words.length, at = Math.min(Math.max(x(day), x(0) + half), right - half);
    reading.replaceChildren(line("", x(day), TOP, x(day), BOTTOM),
      draw("circle", { cx: x(day), cy: y(share), r: 4 }),
      draw("rect", { x: at - half, y: BOTTOM - 26, width: 2 * half, height: 20, rx: 4 }),
      text("strong", at, BOTTOM - 12, words));
    reading.setAttribute("visibility", "visible");
  });
  under.addEventListener("pointerleave", () => reading.setAttribute("visibility", "hidden"));
  return draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-labelledby": "curve-title curve-desc" },
    draw("title", { id: "curve-title" }, "Probability of having bought, by day"),
    draw("desc", { id: "curve-desc" }, described), ...parts, reading, under);
};
