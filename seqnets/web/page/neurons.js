"use strict";
// Text colored by one unit, the units that follow something, and other places where the same units are on.

panels.neurons = (data, page, section) => {
  const { network, spelling } = page;
  const unit = numberField(`Unit (0 to ${network.units - 1})`, data.detectors.length ? data.detectors[0].unit : 0, { min: 0, max: network.units - 1, step: 1 });
  const view = new TextView("A text colored by one unit: orange is high, blue is low.", { describe: at => (states ? `unit ${chosen()}: ${value(at).toFixed(3)}` : "") });
  view.hover = at => view.select(at);
  const note = make("p", { class: "status", role: "status" });
  const own = field("Another text", make("textarea", { rows: 2, spellcheck: "false" }));
  let texts = [], states = null, items = [], turn = 0;
  const chosen = () => Math.max(0, Math.min(network.units - 1, Math.round(numberOf(unit, 0))));
  const value = at => states[items[at].last * network.units + chosen()];
  const paint = () => { if (states) view.paint(at => SIGNED(value(at) / scale())); };
  const scale = () => { let most = 1e-6; for (let i = chosen(); i < states.length; i += network.units) most = Math.max(most, Math.abs(states[i])); return network.cell === "lstm" ? 1 : most; };

  async function read(tokens) {
    const mine = ++turn, found = new Float32Array(tokens.length * network.units);
    let state = network.start();
    await inSlices(tokens.length, i => {
      if (data.resets.includes(tokens[i]) && i) state = network.start();
      state = network.step(tokens[i], state).state;
      found.set(network.shown(state), i * network.units);
    }, { stopped: () => mine !== turn, progress: share => { note.textContent = share < 1 ? `Reading: ${Math.round(100 * share)}%` : ""; } });
    if (mine !== turn) return;
    items = spelling.characters(tokens);
    states = found;
    view.show(items);
    paint();
    page.reading = { items, states, tokens };
    for (const listener of listeners) listener();
  }
  const listeners = [];

  const verdicts = data.detectors.map(found => {
    const name = found.follows ? make("button", { type: "button", onclick: () => { unit.querySelector("input").value = found.unit; paint(); } }, found.mark) : found.mark;
    return [name, found.verdict, found.score.toFixed(3), found.random.toFixed(3), found.measure];
  });
  section.append(
    make("p", {}, `Every unit was compared with what a scanner of ${data.language} marks, on ${data.characters.toLocaleString("en")} characters of text that the model did not learn from: the unit was chosen on the first half and scored on the second. A network with random weights went through the same search.`),
    table(["What", "Found", "Score", "Random weights", "Measure"], verdicts, "Units that follow something"),
    make("div", { class: "fields" }, unit), note, view.element,
    make("form", { onsubmit: event => { event.preventDefault(); read(spelling.encode(own.querySelector("textarea").value).tokens); } }, own, make("p", { class: "buttons" }, make("button", { type: "submit" }, "Read this text"))));
  unit.querySelector("input").addEventListener("input", paint);
  page.whenSeen(section, () => read(data.tokens));
  page.neurons = { listeners, read, paint, set: index => { unit.querySelector("input").value = index; paint(); } };
};

// LSTMVis: the units that are on over a whole stretch, and where else the same ones are.
panels.search = (data, page, section) => {
  const { network } = page;
  const threshold = numberField("On above", 0.3, { min: 0, max: 5, step: 0.05, note: "in absolute value" });
  const result = make("div", { "aria-live": "polite" });
  const view = new TextView("Select a stretch of this text.", {});
  section.append(
    make("p", {}, "Select a stretch of the text with the mouse, or move to its beginning and press Enter there and at its end. Units that are on all over it, and not just before and after it, make its signature."),
    make("div", { class: "fields" }, threshold), make("p", { class: "buttons" }, make("button", { type: "button", onclick: () => search() }, "Search like this")), view.element, result);
  let ends = [];
  view.pick = at => { ends = ends.length === 1 ? [ends[0], at].sort((a, b) => a - b) : [at]; view.paint(i => (ends.length === 2 ? i >= ends[0] && i <= ends[1] : i === ends[0]) ? ONE_SIDED(0.6) : ""); };
  page.neurons.listeners.push(() => view.show(page.reading.items.map(item => ({ text: item.text }))));

  function search() {
    const stretch = view.stretch() || (ends.length === 2 ? ends : null);
    if (!stretch || !page.reading) { result.textContent = "Select a stretch first."; return; }
    const found = searchLike(page.reading, network.units, stretch, numberOf(threshold, 0.3));
    if (!found.signature.length) { result.textContent = "No unit is on all over this stretch at this threshold; lower it, or select less."; return; }
    result.replaceChildren(make("p", {}, `${found.signature.length} units are on: ${found.signature.slice(0, 20).join(", ")}${found.signature.length > 20 ? " …" : ""}`),
      table(["Place", "Text", "Units in common"], found.places.map(place => [place.at, place.text, `${place.common} of ${found.signature.length}`]), "Other places with the same units on"));
  }
  page.search = { search, view, setEnds: pair => { ends = pair; } };
};

// {signature: units on over all of the stretch, places: the ten stretches of its length where most of them are on}
function searchLike({ items, states }, units, [first, last], threshold) {
  const on = (at, unit) => Math.abs(states[items[at].last * units + unit]) >= threshold;
  const all = (from, to, unit) => { for (let at = from; at <= to; at++) if (!on(at, unit)) return false; return true; };
  let signature = [];
  for (let unit = 0; unit < units; unit++) if (all(first, last, unit)) signature.push(unit);
  const rare = signature.filter(unit => (!first || !on(first - 1, unit)) && (last + 1 >= items.length || !on(last + 1, unit)));
  if (rare.length) signature = rare;
  const length = last - first + 1, places = [];
  // how long each unit of the signature has been on, at every place
  const runs = signature.map(() => 0);
  for (let at = 0; at < items.length; at++) {
    let common = 0;
    signature.forEach((unit, i) => { runs[i] = on(at, unit) ? runs[i] + 1 : 0; common += runs[i] >= length; });
    const from = at - length + 1;
    if (common && (from > last || at < first)) places.push({ at: from, common });
  }
  places.sort((a, b) => b.common - a.common || a.at - b.at);
  const kept = [];
  for (const place of places) {
    if (kept.length === 10) break;
    if (kept.every(other => Math.abs(other.at - place.at) >= length)) kept.push(place);
  }
  return { signature, places: kept.map(place => ({ ...place, text: items.slice(Math.max(0, place.at - 10), place.at + length + 10).map(item => (item.text === "\n" ? "↵" : item.text)).join("") })) };
}
