"use strict";
// Write with the model: draw a text, look at what else was likely, go on from another character.

panels.write = (data, page, section) => {
  const { network, spelling } = page;
  const prompt = field("Beginning", make("textarea", { rows: 2, spellcheck: "false" }, data.prompt));
  const settings = {
    temperature: numberField("Temperature", data.temperature, { min: 0, max: 10, step: 0.1, note: "0: always the likeliest" }),
    top_k: numberField("Top k", "", { min: 1, step: 1, note: "empty: all" }),
    top_p: numberField("Top p", "", { min: 0, max: 1, step: 0.05 }),
    min_p: numberField("Min p", "", { min: 0, max: 1, step: 0.01 }),
    repetition_penalty: numberField("Repetition penalty", "", { min: 0.1, step: 0.1 }),
    seed: numberField("Seed", 0, { min: 0, step: 1 }),
    length: numberField("Length", 400, { min: 1, max: 100000, step: 50 }),
  };
  const write = make("button", { type: "submit", class: "main" }, "Write");
  const more = make("button", { type: "button", disabled: true, onclick: () => grow() }, "Go on");
  const stop = make("button", { type: "button", disabled: true, onclick: () => { turn++; } }, "Stop");
  const note = make("p", { class: "status", role: "status" });
  const view = new TextView("The written text. Arrow keys move; Enter shows what else was likely.", { pick: at => offer(at) });
  const offers = make("div", { class: "offers" }), branches = make("div", { class: "branches" });
  section.append(
    make("form", { novalidate: true, onsubmit: event => { event.preventDefault(); begin(); } }, prompt, make("div", { class: "fields" }, ...Object.values(settings)), make("p", { class: "buttons" }, write, more, stop)),
    note, view.element, offers, branches);

  // A node is a token that was read: {token, state, parent, depth}. Branches share their beginning.
  const root = { token: null, state: network.start(), parent: null, depth: 0 };
  let path = [], leaves = [], turn = 0;
  const read = (node, token) => {
    const { logits, state } = network.step(token, node.state);
    return { token, state, parent: node, depth: node.depth + 1, logits };
  };
  const chosen = () => Object.fromEntries(Object.entries(settings).map(([name, element]) => [name, numberOf(element, name === "temperature" ? 1 : name === "seed" ? 0 : name === "length" ? 400 : null)]));
  const pathTo = leaf => { const found = []; for (let node = leaf; node.token !== null; node = node.parent) found.unshift(node); return found; };
  const logitsAfter = node => node.logits || network.step(node.token, node.parent.state).logits;

  async function begin() {
    const { tokens, unknown } = spelling.encode(prompt.querySelector("textarea").value);
    note.textContent = unknown.length ? `The model does not know ${unknown.slice(0, 8).map(visibleText).join(" ")}; left out.` : "";
    let node = root;
    if (!tokens.length) node = { ...read(root, data.start), hidden: true };
    for (const token of tokens) node = read(node, token);
    path = pathTo(node);
    leaves = [];
    offers.replaceChildren();
    redraw();
    await grow();
  }

  async function grow() {
    const mine = ++turn, settings = chosen();
    const began = performance.now(), before = path.length;
    for (const button of [more, write]) button.disabled = true;
    stop.disabled = false;
    let shown = 0;
    await inSlices(settings.length, () => {
      const node = path[path.length - 1];
      const recent = path.filter(n => !n.hidden).slice(-16).map(n => n.token);
      const next = read(node, drawToken(logitsAfter(node), settings, recent, node.depth));
      delete node.logits;
      path.push(next);
    }, { stopped: () => mine !== turn, progress: () => { if (path.length - shown > 0) { redraw({ append: true }); shown = path.length; } } });
    if (mine !== turn && path.length === before) { stop.disabled = true; }
    redraw({ append: true });
    remember();
    for (const button of [more, write]) button.disabled = false;
    stop.disabled = true;
    const rate = Math.round((path.length - before) / ((performance.now() - began) / 1000));
    section.dataset.rate = String(rate);
    note.textContent = `${rate.toLocaleString("en")} tokens a second. Click a character to see what else was likely.`;
  }

  let characters = [];
  function redraw({ append = false } = {}) {
    const visible = path.filter(node => !node.hidden);
    const now = spelling.characters(visible.map(node => node.token));
    const offset = path.length - visible.length;
    while (now.length && now[now.length - 1].partial) now.pop();  // never half a character
    const items = now.map(character => ({ ...character, node: visible[character.first], at: character.first + offset }));
    if (append && items.length >= characters.length) view.append(items.slice(characters.length)); else view.show(items);
    characters = items;
  }

  function remember() {
    const leaf = path[path.length - 1];
    leaves = leaves.filter(other => !pathTo(leaf).includes(other));
    leaves.push(leaf);
    branches.replaceChildren(...(leaves.length < 2 ? [] : [make("h3", {}, "Branches"), make("p", { class: "buttons" }, ...leaves.map((other, i) => {
      const tail = spelling.characters(pathTo(other).filter(n => !n.hidden).slice(-24).map(n => n.token)).map(c => (c.text === "\n" ? "↵" : c.text)).join("");
      return make("button", { type: "button", "aria-pressed": String(other === leaf), onclick: () => { turn++; path = pathTo(other); characters = []; redraw(); leaves = leaves.filter(o => o !== other); remember(); } }, `${i + 1}: …${tail}`);
    }))]));
  }

  function offer(at) {
    const { node } = characters[at], before = node.parent;
    if (before.token === null) { offers.replaceChildren(make("p", {}, "Nothing was expected before the first character.")); return; }
    const found = likeliest(logitsAfter(before), 5);
    const entries = found.map(({ token, p }) => ({ name: spelling.name(token), p, value: token }));
    offers.replaceChildren(make("h3", {}, `In the place of ${visibleText(characters[at].text)}`),
      bars(entries, { chosen: node.token, choose: token => branch(before, token) }));
  }

  async function branch(before, token) {
    turn++;
    await nextTurn();
    path = [...pathTo(before), read(before, token)];
    characters = [];
    offers.replaceChildren();
    redraw();
    await grow();
  }
  page.write = { begin, settings, prompt, text: () => characters.map(c => c.text).join(""), tokens: () => path.filter(n => !n.hidden).map(n => n.token) };
};
