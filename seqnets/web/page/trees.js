"use strict";
// Trees whose nodes have the color of their likeliest label.

const TREE_COLUMN = 62, TREE_LEVEL = 34;

// A drawing of a tree: words at the bottom; offer(i) is called where node i is pointed at or reached by Tab.
function treeDrawing(tree, labels, likeliest, offer) {
  const columns = Math.max(...tree.places.map(at => at[0])) + 1, heights = Math.max(...tree.places.map(at => at[1])) + 1;
  const x = i => (tree.places[i][0] + .5) * TREE_COLUMN, y = i => (heights - tree.places[i][1] - .5) * TREE_LEVEL;
  const width = columns * TREE_COLUMN, height = heights * TREE_LEVEL + 24;
  const drawing = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `a tree of ${tree.words.length} nodes` });
  tree.children.forEach((pair, i) => pair.filter(child => child >= 0).forEach(child => drawing.append(make("line", { x1: x(i), y1: y(i), x2: x(child), y2: y(child), stroke: "currentColor", "stroke-opacity": .3 }))));
  tree.words.forEach((word, i) => {
    const best = likeliest(i), isWrong = tree.truth[i] >= 0 && tree.truth[i] !== best, name = visibleText(labels[best]);
    const mark = make("g", { tabindex: 0, role: "button", "aria-label": `${word ? `${visibleText(word)}: ` : ""}${name}${isWrong ? `, labeled ${visibleText(labels[tree.truth[i]])}` : ""}`, onfocus: () => offer(i), onpointerover: () => offer(i) },
      make("rect", { x: x(i) - 20, y: y(i) - 10, width: 40, height: 20, rx: 6, fill: LABEL_COLORS[best % LABEL_COLORS.length], stroke: "currentColor", "stroke-width": isWrong ? 2.5 : .5, "stroke-dasharray": isWrong ? "4 2" : null }),
      make("text", { x: x(i), y: y(i) + 4, "text-anchor": "middle", "font-size": 12, fill: "currentColor" }, cutShort(name, 6)));
    drawing.append(mark);
    if (word) drawing.append(make("text", { x: x(i), y: y(i) + 28, "text-anchor": "middle", "font-size": 12, fill: "currentColor" }, cutShort(visibleText(word), 9)));
  });
  return drawing;
}

const cutShort = (text, most) => { const letters = Array.from(text); return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text; };

// The words below a node, from left to right.
function phraseOf(tree, i) {
  const words = [], open = [i];
  while (open.length) {
    const node = open.pop();
    if (tree.words[node]) words.push(tree.words[node]);
    open.push(...tree.children[node].filter(child => child >= 0).reverse());
  }
  return words;
}

panels.trees = (data, page, section) => {
  const { labels } = data, host = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "the tree" }), odds = make("div", { class: "odds", "aria-live": "polite" });
  function show(tree) {
    const share = (i, label) => tree.shares[i * labels.length + label];
    const likeliest = i => labels.reduce((best, _, label) => (share(i, label) > share(i, best) ? label : best), 0);
    const offer = i => {
      const order = labels.map((_, label) => label).sort((a, b) => share(i, b) - share(i, a)).slice(0, 5);
      const truth = tree.truth[i] >= 0 ? `, labeled ${visibleText(labels[tree.truth[i]])}` : "";
      odds.replaceChildren(make("h3", {}, `${beginning(phraseOf(tree, i).map(word => `${word} `))}${truth}`), bars(order.map(label => ({ name: labels[label], p: share(i, label), value: label }))));
    };
    host.replaceChildren(treeDrawing(tree, labels, likeliest, offer));
    offer(tree.words.length - 1);
  }
  const rows = data.trees.map(one => ({ wrong: one.wrong > 0, cells: [beginning(phraseOf(one, one.words.length - 1).map(word => `${word} `)), one.words.length, one.wrong] }));
  const list = exampleList(["Tree", "Nodes", "Wrong labels"], rows, i => show(data.trees[i]), { caption: "Held-out trees" });
  section.append(counted(data, "trees"), make("p", {}, "A dashed frame marks a node whose likeliest label is not its own. Point at a node for its probabilities."), labelLegend(labels), host, odds, list.element);
  page.trees = { list, data, show };
};
