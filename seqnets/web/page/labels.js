"use strict";
// Labels over texts: the label of every step (taggers), or of the text so far (classifiers), with their probabilities.

// Colors of labels; where there are more labels than colors, the line below the text and the choice of one label say which it is.
const LABEL_COLORS = ["rgba(0, 114, 178, .5)", "rgba(230, 159, 0, .45)", "rgba(0, 158, 115, .38)", "rgba(204, 121, 167, .45)", "rgba(240, 228, 66, .35)", "rgba(213, 94, 0, .42)", "rgba(86, 180, 233, .45)", "rgba(110, 110, 110, .4)"];

function labelLegend(labels) {
  return make("ul", { class: "legend" }, ...labels.map((label, i) => {
    const mark = make("span", { class: "mark" });
    mark.style.backgroundColor = LABEL_COLORS[i % LABEL_COLORS.length];
    return make("li", {}, mark, visibleText(label));
  }));
}

// A text whose tokens have shares of C labels; one label is shaded by its probability, or each token has the color of its likeliest.
function labeledText(labels, { caption, describe }) {
  const shade = make("select", {}, make("option", { value: "" }, "the likeliest label, by color"), ...labels.map((label, i) => make("option", { value: i }, `the probability of ${visibleText(label)}`)));
  const odds = make("div", { class: "odds", "aria-live": "polite" }), legend = labelLegend(labels);
  let shown = null;
  const share = (at, label) => shown.shares[at * labels.length + label];
  const likeliest = at => { let best = 0; for (let i = 1; i < labels.length; i++) if (share(at, i) > share(at, best)) best = i; return best; };
  const view = new TextView(caption, { pick: at => offer(at), describe: at => describe(shown, at, likeliest(at), share) });
  view.hover = at => view.select(at);
  const paint = () => {
    legend.hidden = shade.value !== "";
    view.paint(at => (shade.value === "" ? LABEL_COLORS[likeliest(at) % LABEL_COLORS.length] : ONE_SIDED(share(at, Number(shade.value)))));
  };
  function offer(at) {
    const order = labels.map((_, i) => i).sort((a, b) => share(at, b) - share(at, a)).slice(0, 5);
    odds.replaceChildren(make("h3", {}, `Labels at ${visibleText(shown.tokens[at])}`), bars(order.map(i => ({ name: labels[i], p: share(at, i), value: i }))));
  }
  shade.addEventListener("change", paint);
  function show(text, isWrong) {
    shown = text;
    odds.replaceChildren();
    view.show(text.tokens.map(token => ({ text: token })));
    text.tokens.forEach((_, at) => view.spans[at].classList.toggle("wrong", isWrong(at, likeliest(at))));
    paint();
  }
  return { element: make("div", {}, make("div", { class: "fields wide" }, field("Shade", shade)), legend, view.element, odds), show, view, shade, paint, offer };
}

const counted = (data, what) => make("p", {}, `${data.among.toLocaleString("en")} ${what} of ${data.source}; ${data.withMistakes.toLocaleString("en")} of them have a mistake. Here are those with the worst mistakes, and some of the others.`);

panels.labels = (data, page, section) => {
  const { labels } = data, name = label => (label < 0 ? "no label" : visibleText(labels[label]));
  const text = labeledText(labels, {
    caption: "A text and its labels. Arrow keys move; Enter shows the probabilities.",
    describe: (shown, at, best, share) => `${name(best)}, ${percent(share(at, best))}${shown.truth[at] === best ? "" : `; labeled ${name(shown.truth[at])}${shown.truth[at] >= 0 ? `, ${percent(share(at, shown.truth[at]))}` : ""}`}`,
  });
  const rows = data.texts.map(one => ({ wrong: one.wrong > 0, cells: [beginning(one.tokens), one.tokens.length, one.wrong] }));
  const list = exampleList(["Text", "Steps", "Wrong labels"], rows, i => text.show(data.texts[i], (at, best) => data.texts[i].truth[at] >= 0 && best !== data.texts[i].truth[at]), { caption: "Held-out texts" });
  section.append(counted(data, "sequences"), make("p", {}, "A wavy line marks a step whose likeliest label is not its own."), text.element, list.element);
  page.labels = { text, list, data };
};

panels.classes = (data, page, section) => {
  const { labels } = data, name = label => (label < 0 ? "a label that was not learned" : visibleText(labels[label]));
  const verdict = make("p", { class: "finding", "aria-live": "polite" });
  const text = labeledText(labels, {
    caption: "A text and its label while it is read. Arrow keys move; Enter shows the probabilities.",
    describe: (shown, at, best, share) => `read to here: ${name(best)}, ${percent(share(at, best))}`,
  });
  const rows = data.texts.map(one => ({ wrong: one.guess !== one.truth, cells: [beginning(one.tokens), name(one.truth), name(one.guess), percent(one.p)] }));
  const list = exampleList(["Text", "Its label", "The model says", "Probability"], rows, i => {
    const one = data.texts[i];
    verdict.textContent = one.guess === one.truth ? `Right: ${name(one.guess)}, ${percent(one.p)}.` : `Wrong: ${name(one.guess)}, ${percent(one.p)}; it is ${name(one.truth)}.`;
    text.show(one, () => false);
  }, { caption: "Held-out texts" });
  section.append(counted(data, "texts"), make("p", {}, "Each character or word shows what the model would say if the text ended there."), verdict, text.element, list.element);
  page.classes = { text, list, data };
};
