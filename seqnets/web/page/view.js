"use strict";
// What all panels draw with: elements, texts that can be pointed at, bars, curves. Text is only ever set as text.

const panels = {};  // each file of a panel adds its function: (data, page, section) => nothing

function make(tag, attributes = {}, ...children) {
  const element = tag === "svg" || make.svg.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined).map(child => (typeof child === "number" ? String(child) : child)));
  return element;
}
make.svg = new Set(["g", "path", "line", "rect", "circle", "text", "polyline"]);

// Tasks that take long run in slices, so that the page stays alive; `stopped()` ends them.
const SLICE = 24;  // milliseconds
const nextTurn = () => new Promise(resolve => setTimeout(resolve, 0));
async function inSlices(count, work, { stopped = () => false, progress = () => {} } = {}) {
  let since = performance.now();
  for (let i = 0; i < count; i++) {
    if (stopped()) return i;
    work(i);
    if (performance.now() - since > SLICE) {
      progress(i / count);
      await nextTurn();
      since = performance.now();
    }
  }
  progress(1);
  return count;
}

// Colors that color-blind people can tell apart (Okabe, Ito): blue for low, orange for high; vermilion for one-sided values.
const SIGNED = value => (value < 0 ? `rgba(0, 114, 178, ${Math.min(1, -value) * 0.6})` : `rgba(230, 159, 0, ${Math.min(1, value) * 0.6})`);
const ONE_SIDED = value => `rgba(213, 94, 0, ${Math.max(0, Math.min(1, value)) * 0.6})`;

// A text whose characters can be pointed at, clicked, and walked with the arrow keys.
class TextView {
  constructor(label, { pick = () => {}, describe = () => "" } = {}) {
    this.pick = pick;
    this.describe = describe;
    this.status = make("p", { class: "status", "aria-live": "polite" });
    this.box = make("div", { class: "text", tabindex: "0", role: "group", "aria-label": label, onkeydown: event => this.key(event) });
    this.box.addEventListener("click", event => this.clicked(event));
    this.box.addEventListener("pointerover", event => this.over(event));
    this.element = make("div", { class: "textview" }, this.box, this.status);
    this.items = [];
    this.current = null;
  }

  // items: {text, color}
  show(items) {
    this.items = items;
    this.spans = items.map((item, at) => {
      const span = make("span", { "data-at": at }, item.text === "\n" ? "↵\n" : item.text);
      if (item.text === "\n") span.className = "break";
      return span;
    });
    this.box.replaceChildren(...this.spans);
    this.current = null;
    this.paint();
  }

  append(items) {
    for (const item of items) {
      const span = make("span", { "data-at": this.items.length }, item.text === "\n" ? "↵\n" : item.text);
      if (item.text === "\n") span.className = "break";
      this.items.push(item);
      this.spans.push(span);
      this.box.append(span);
      if (item.color) span.style.backgroundColor = item.color;
    }
  }

  paint(color = null) {
    this.items.forEach((item, at) => {
      if (color) item.color = color(at);
      this.spans[at].style.backgroundColor = item.color || "";
    });
  }

  select(at, { focus = false } = {}) {
    if (this.current !== null && this.spans[this.current]) this.spans[this.current].classList.remove("current");
    this.current = at;
    if (at === null || !this.spans[at]) { this.status.textContent = ""; return; }
    this.spans[at].classList.add("current");
    if (focus) this.spans[at].scrollIntoView({ block: "nearest" });
    this.status.textContent = `${visibleText(this.items[at].text)}  ${this.describe(at)}`;
  }

  clicked(event) {
    const at = event.target.dataset.at;
    if (at === undefined || (getSelection() && !getSelection().isCollapsed)) return;
    this.select(Number(at));
    this.pick(Number(at));
  }

  over(event) {
    const at = event.target.dataset ? event.target.dataset.at : undefined;
    if (at !== undefined && this.hover) this.hover(Number(at));
  }

  key(event) {
    const last = this.items.length - 1, at = this.current === null ? -1 : this.current;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last, ArrowDown: this.line(at, 1), ArrowUp: this.line(at, -1) }[event.key];
    if (event.key === "Enter" && at >= 0) { event.preventDefault(); this.pick(at); return; }
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.select(Math.max(0, Math.min(last, to)), { focus: true });
    if (this.hover) this.hover(this.current);
  }

  line(at, way) {
    const begin = i => { while (i > 0 && this.items[i - 1].text !== "\n") i--; return i; };
    const start = begin(Math.max(0, at)), column = Math.max(0, at) - start;
    if (way < 0) return start ? Math.min(begin(start - 1) + column, start - 1) : 0;
    let next = Math.max(0, at);
    while (next < this.items.length && this.items[next].text !== "\n") next++;
    return next + 1 + column;
  }

  // The stretch that is selected with the mouse or with shift and the arrow keys: [first, last], or null.
  stretch() {
    const chosen = getSelection();
    if (!chosen || chosen.isCollapsed || !this.box.contains(chosen.anchorNode) || !this.box.contains(chosen.focusNode)) return null;
    const at = node => Number((node.nodeType === 3 ? node.parentNode : node).dataset.at);
    const ends = [at(chosen.anchorNode), at(chosen.focusNode)].sort((a, b) => a - b);
    return ends.some(Number.isNaN) ? null : ends;
  }
}

// What to show for a character: line breaks and other invisible ones get a sign.
function visibleText(text) {
  if (text === "\n") return "↵";
  if (text === " ") return "␣";
  if (text === "\t") return "⇥";
  if (text === "\r") return "␍";
  return /^[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u.test(text) ? Array.from(text, c => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")).join(" ") : text;
}

// A list of tokens with their probabilities as bars; each can be chosen.
function bars(entries, { choose = null, chosen = null } = {}) {
  return make("ol", { class: "bars" }, ...entries.map(({ name, p, value }) => {
    const percent = (100 * p).toFixed(p < 0.1 ? 2 : 1) + "%";
    const inside = [make("span", { class: "bar" }), make("code", {}, visibleText(name)), make("span", { class: "number" }, percent)];
    inside[0].style.width = `${Math.max(1, 100 * p)}%`;
    const label = `${visibleText(name)}, ${percent}`;
    if (!choose) return make("li", {}, ...inside);
    return make("li", {}, make("button", { type: "button", "aria-pressed": String(value === chosen), "aria-label": label, onclick: () => choose(value) }, ...inside));
  }));
}

function table(headings, rows, caption = "") {
  const cell = (tag, value, scope) => make(tag, scope ? { scope } : {}, value instanceof Node ? value : String(value));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption || headings.join(", ") },
    make("table", {}, caption ? make("caption", {}, caption) : null,
      make("thead", {}, make("tr", {}, ...headings.map(text => cell("th", text, "col")))),
      make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map((value, i) => cell(i ? "td" : "th", value, i ? null : "row")))))));
}

// Curves: series of {name, points: [[x, y], ...]}; logarithmic axes on request.
const SERIES = ["var(--series-1)", "var(--series-2)", "var(--series-3)", "var(--series-4)", "var(--series-5)", "var(--series-6)"];
// Marks are places on the x axis that can be chosen: {at: [x, ...], chosen, pick: x => nothing}; arrow keys need a field beside them.
function chart(series, { x = "", y = "", logX = false, logY = false, label = "", marks = null } = {}) {
  const width = Math.max(300, Math.min(640, document.documentElement.clientWidth - 32)), height = 300, left = 56, bottom = 40, top = 26, right = 24;
  const usable = series.map(one => ({ ...one, points: one.points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b) && (!logX || a > 0) && (!logY || b > 0)) }));
  const all = usable.flatMap(one => one.points);
  if (!all.length) return make("p", {}, "There is nothing to draw yet.");
  const scale = (values, from, to, log) => {
    const f = log ? Math.log10 : value => value;
    let low = Math.min(...values.map(f)), high = Math.max(...values.map(f));
    if (low === high) { low -= 0.5; high += 0.5; }
    return { at: value => from + (f(value) - low) / (high - low) * (to - from), ticks: ticks(low, high, log) };
  };
  const across = scale(all.map(p => p[0]), left, width - right, logX), up = scale(all.map(p => p[1]), height - bottom, top, logY);
  const drawing = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label || `${y} against ${x}` });
  for (const tick of up.ticks) drawing.append(make("line", { x1: left, x2: width - right, y1: up.at(tick), y2: up.at(tick), class: "grid" }), make("text", { x: left - 6, y: up.at(tick) + 4, class: "tick end" }, short(tick)));
  for (const tick of across.ticks) drawing.append(make("text", { x: across.at(tick), y: height - bottom + 18, class: "tick middle" }, short(tick)));
  drawing.append(make("text", { x: (left + width) / 2, y: height - 4, class: "tick middle" }, x), make("text", { x: 4, y: 12, class: "tick" }, y));
  usable.forEach((one, i) => {
    const path = one.points.map(([a, b], k) => `${k ? "L" : "M"}${across.at(a).toFixed(1)} ${up.at(b).toFixed(1)}`).join("");
    drawing.append(make("path", { d: path, class: "curve", stroke: SERIES[i % SERIES.length], "stroke-dasharray": one.dashed ? "5 4" : null }));
    if (one.points.length < 40) for (const [a, b] of one.points) drawing.append(make("circle", { cx: across.at(a), cy: up.at(b), r: 2.5, fill: SERIES[i % SERIES.length] }));
  });
  if (marks) markPlaces(drawing, marks, { across, width, top, floor: height - bottom, low: Math.min(...all.map(p => p[0])), high: Math.max(...all.map(p => p[0])) });
  const legend = usable.length > 1 ? make("ul", { class: "legend" }, ...usable.map((one, i) => {
    const mark = make("span", { class: "mark" });
    mark.style.backgroundColor = SERIES[i % SERIES.length];
    return make("li", {}, mark, one.name);
  })) : null;
  return make("figure", { class: "chart" }, drawing, legend);
}

function markPlaces(drawing, { at, chosen, pick }, { across, width, top, floor, low, high }) {
  const places = at.filter(place => place >= low && place <= high).map(place => ({ place, x: across.at(place) }));
  for (const { place, x } of places) {
    if (place === chosen) drawing.append(make("line", { x1: x, x2: x, y1: top, y2: floor, class: "chosen" }));
    drawing.append(make("path", { d: `M${x} ${floor - 9}l6 9h-12z`, class: place === chosen ? "place chosen" : "place" }));
  }
  drawing.classList.add("pickable");
  drawing.addEventListener("click", event => {
    const box = drawing.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * width;
    if (places.length) pick(places.reduce((best, one) => (Math.abs(one.x - x) < Math.abs(best.x - x) ? one : best)).place);
  });
}

function ticks(low, high, log) {
  if (log) {
    const found = [];
    for (let power = Math.ceil(low - 1e-9); power <= Math.floor(high + 1e-9); power++) found.push(10 ** power);
    return found.length > 1 ? found : [10 ** low, 10 ** high];
  }
  const rough = (high - low) / 5, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(factor => factor * size >= rough) * size, found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(tick);
  return found;
}

const short = value => (Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(3))));

// A labeled field of a form.
function field(label, input, note = "") {
  const id = `field-${++field.count}`;
  input.id = id;
  return make("div", { class: "field" }, make("label", { for: id }, label), input, note ? make("small", {}, note) : null);
}
field.count = 0;
const numberField = (label, value, { min, max, step, note }) => field(label, make("input", { type: "number", value, min, max, step, inputmode: "decimal" }), note);
// What a field says, within its limits.
const numberOf = (element, otherwise = null) => {
  const input = element.querySelector("input"), text = input.value.trim(), value = Number(text);
  if (text === "" || !Number.isFinite(value)) return otherwise;
  const least = input.min === "" ? -Infinity : Number(input.min), most = input.max === "" ? Infinity : Number(input.max);
  return Math.min(most, Math.max(least, value));
};
