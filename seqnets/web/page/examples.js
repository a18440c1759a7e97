"use strict";
// A list of examples of which one is looked at: all or only the wrong ones, chosen in a table, or one after another.

// rows: [{cells, wrong}]; the first cell becomes a button. pick(i) shows example i.
function exampleList(headings, rows, pick, { caption = "Examples" } = {}) {
  const filter = make("select", {}, make("option", { value: "all" }, `all (${rows.length})`), make("option", { value: "wrong" }, `with a mistake (${rows.filter(row => row.wrong).length})`), make("option", { value: "right" }, `without a mistake (${rows.filter(row => !row.wrong).length})`));
  const host = make("div", { class: "examples" }), buttons = rows.map((row, i) => make("button", { type: "button", class: "example", dir: "auto", "aria-pressed": "false", onclick: () => choose(i) }, row.cells[0]));
  let current = -1, visible = [];
  const turn = way => { const at = visible.indexOf(current); if (visible.length) choose(visible[(at + way + visible.length) % visible.length]); };
  function choose(i) {
    if (current >= 0) buttons[current].setAttribute("aria-pressed", "false");
    current = i;
    buttons[i].setAttribute("aria-pressed", "true");
    pick(i);
  }
  function redraw() {
    visible = rows.map((row, i) => i).filter(i => filter.value === "all" || rows[i].wrong === (filter.value === "wrong"));
    host.replaceChildren(visible.length ? table(headings, visible.map(i => [buttons[i], ...rows[i].cells.slice(1)]), caption) : make("p", {}, "There are none."));
    if (visible.length && !visible.includes(current)) choose(visible[0]);
  }
  filter.addEventListener("change", redraw);
  const element = make("div", {}, make("div", { class: "fields" }, field("Show", filter)),
    make("p", { class: "buttons" }, make("button", { type: "button", onclick: () => turn(-1) }, "Previous"), make("button", { type: "button", onclick: () => turn(1) }, "Next")), host);
  redraw();
  return { element, choose, current: () => current };
}

// The first characters of a text, on one line.
const beginning = (tokens, most = 60) => {
  const text = tokens.join("").replace(/\s+/gu, " ").trim(), letters = Array.from(text);
  return letters.length > most ? `${letters.slice(0, most).join("")}…` : text || "(empty)";
};

const percent = p => `${(100 * p).toFixed(p < 0.1 ? 1 : 0)}%`;
