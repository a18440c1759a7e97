"use strict";
// Translations: right or wrong, by search or drawn, and which part of the source each written token looked at.

panels.translations = (data, page, section) => {
  const pairs = data.pairs, host = make("div", {}), detail = translationDetail();
  const row = pair => ({ wrong: !pair.right, cells: [beginning([pair.source]), pair.ways[0].found[0].text, pair.target, pair.right ? "right" : "wrong"] });
  let list = null;
  const redraw = () => {
    list = exampleList(["Source", "Written", "Wanted", "Verdict"], pairs.map(row), i => detail.show(pairs[i]), { caption: "Pairs" });
    host.replaceChildren(list.element);
  };
  if (page.ask) section.append(translationRequest(page, pair => detail.show(pair)));
  if (pairs.length) section.append(make("p", {}, `${data.right.toLocaleString("en")} of ${data.among.toLocaleString("en")} pairs of ${data.source} are right, letter by letter. Here are those that are wrong, the surest first, and some that are right.`));
  section.append(detail.element, host);
  if (pairs.length) redraw(); else detail.element.hidden = true;
  page.translations = { detail, list: () => list, data };
};

function translationDetail() {
  const verdict = make("p", { class: "finding", dir: "auto" }), ways = make("div", {}), map = make("div", { class: "scroll alignment", tabindex: "0", role: "group", "aria-label": "attention" });
  const source = new TextView("The source; the shade is where the model looked.", {});
  const written = new TextView("What was written. Point at a token, or move with the arrow keys, to see where the model looked.", { describe: at => looked(at) });
  written.hover = at => { written.select(at); light(at); };
  written.pick = at => light(at);
  const note = make("p", { class: "about" }, "This model has no attention: nothing says where it looked."), alignment = make("div", {}, make("h3", {}, "Source"), source.element, make("h3", {}, "Written"), written.element);
  const element = make("div", { class: "translation" }, verdict, ways, alignment, note, map);
  let pair = null, caption = null;
  const weight = (row, column) => caption.attention[row * pair.pieces.length + column];
  function looked(at) {
    if (!caption.attention) return "";
    const order = pair.pieces.map((_, i) => i).sort((a, b) => weight(at, b) - weight(at, a)).slice(0, 3);
    return `looked at ${order.map(i => `${visibleText(pair.pieces[i])} (${percent(weight(at, i))})`).join(", ")}`;
  }
  const light = at => { if (caption.attention) source.paint(i => ONE_SIDED(weight(at, i))); };

  function show(next) {
    element.hidden = false;
    pair = next;
    verdict.textContent = pair.target ? (pair.right ? "Right." : `Wrong: wanted ${pair.target}`) : "";
    pick(pair.ways[0].found[0]);
  }
  function pick(chosen) {
    caption = chosen;
    ways.replaceChildren(...pair.ways.map(way => make("div", {}, make("h3", {}, way.name[0].toUpperCase() + way.name.slice(1)), make("ol", { class: "choices" }, ...way.found.map(one => make("li", {}, make("button", { type: "button", "aria-pressed": String(one === caption), onclick: () => pick(one) }, make("span", { dir: "auto" }, one.text || "(nothing)"), make("span", { class: "number" }, `ln p ${one.logProb.toFixed(2)}`))))))));
    source.show(pair.pieces.map(text => ({ text: pair.spaced ? `${text} ` : text })));
    written.show(caption.words.map(text => ({ text: pair.spaced ? `${text} ` : text })));
    note.hidden = Boolean(caption.attention) || !caption.words.length;
    map.hidden = !caption.attention;
    if (caption.attention) map.replaceChildren(alignmentMap(pair.pieces, caption.words, weight));
  }
  return { element, show, written, source };
}

// A row for each written token, a column for each token of the source; darker is more attention.
function alignmentMap(source, written, weight) {
  const size = 22, wide = Math.min(8, Math.max(...source.map(text => Array.from(text).length))), left = 14 + 8 * Math.min(12, Math.max(1, ...written.map(text => Array.from(text).length)));
  const turned = wide > 1, top = turned ? 10 + 8 * wide : 22, width = left + size * source.length + 2, height = top + size * written.length + 2;
  const short = text => { const letters = Array.from(visibleText(text)); return letters.length > 12 ? `${letters.slice(0, 11).join("")}…` : letters.join(""); };
  const drawing = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `attention: ${written.length} written tokens over ${source.length} tokens of the source` });
  source.forEach((text, column) => {
    const x = left + size * (column + 0.5), y = top - 6;
    drawing.append(make("text", { x, y, class: turned ? "tick" : "tick middle", transform: turned ? `rotate(-60 ${x} ${y})` : null }, short(text)));
  });
  written.forEach((text, row) => {
    drawing.append(make("text", { x: left - 6, y: top + size * (row + 0.68), class: "tick end" }, short(text)));
    source.forEach((_, column) => {
      const cell = make("rect", { x: left + size * column, y: top + size * row, width: size - 1, height: size - 1, class: "cell" });
      cell.style.fillOpacity = weight(row, column).toFixed(3);
      drawing.append(cell);
    });
  });
  return drawing;
}

function translationRequest(page, show) {
  const text = field("Your own text", make("textarea", { rows: 2, spellcheck: "false", dir: "auto" })), seed = numberField("Seed of the draws", 0, { min: 0, step: 1 }), note = make("p", { class: "status", role: "status" });
  const button = make("button", { type: "submit", class: "main" }, "Translate");
  return make("form", { novalidate: true, onsubmit: async event => {
    event.preventDefault();
    button.disabled = true;
    note.textContent = "Translating.";
    try {
      show(await page.ask("translations", text.querySelector("textarea").value, { seed: Math.round(numberOf(seed, 0)) }));
      note.textContent = "";
    } catch (error) { note.textContent = error.message; }
    button.disabled = false;
  } }, text, make("div", { class: "fields" }, seed), make("p", { class: "buttons" }, button), note);
}
