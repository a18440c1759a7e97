"use strict";
// Pictures with what the model says of them, the worst mistakes first: classes, or answers to questions.

panels.pictures = (data, page, section) => {
  const examples = data.examples.map(example => ({ ...example, image: data.pictures[example.picture] }));
  const asks = data.what === "questions", nameless = asks ? "an answer that was not learned" : "unknown";
  const wrong = example => example.truth !== null && example.truth !== example.guess;
  const detail = exampleDetail(wrong, nameless);
  const show = make("select", {}, ...[["wrong", "mistakes"], ["right", "others"], ["all", "all"]].map(([value, text]) => make("option", { value }, text)));
  const truth = make("select", {}), guess = make("select", {}), words = make("input", { type: "search" });
  const status = make("p", { class: "status", role: "status" }), grid = make("ul", { class: "gallery" });
  const cards = examples.map(card);
  let chosen = null;

  function card(example) {
    const verdict = wrong(example) ? `${example.guess}, not ${example.truth}` : example.guess;
    return make("li", { class: wrong(example) ? "wrong" : "" }, make("button", { type: "button", class: "picture", onclick: () => choose(example) },
      make("img", { src: example.image, alt: "", loading: "lazy" }), example.question ? make("span", { class: "asked", dir: "auto" }, example.question) : null,
      make("span", { dir: "auto" }, `${wrong(example) ? "✗" : example.truth === null ? "" : "✓"} ${visibleText(verdict)} ${percentage(example.answers[0][1])}`)));
  }

  function choose(example) {
    chosen = example;
    detail.show(example);
    cards.forEach((item, i) => item.classList.toggle("chosen", examples[i] === example));
  }

  function options(select, first, values) {
    const kept = select.value, sorted = [...new Set(values)].sort();
    select.replaceChildren(make("option", { value: "" }, first), ...sorted.map(value => make("option", { value: `=${value}` }, visibleText(value))));
    select.value = sorted.some(value => `=${value}` === kept) ? kept : "";
  }

  function apply() {
    const sought = words.value.trim().toLocaleLowerCase();
    let first = null, count = 0;
    examples.forEach((example, i) => {
      const fits = (show.value === "all" || wrong(example) === (show.value === "wrong"))
        && (!truth.value || `=${example.truth}` === truth.value) && (!guess.value || `=${example.guess}` === guess.value)
        && (!sought || `${example.question || ""} ${example.name}`.toLocaleLowerCase().includes(sought));
      cards[i].hidden = !fits;
      count += fits;
      if (fits && !first) first = example;
    });
    status.textContent = `${count.toLocaleString("en")} of the ${examples.length.toLocaleString("en")} ${data.what} in this page`;
    if (first && (!chosen || cards[examples.indexOf(chosen)].hidden)) choose(first);
    detail.element.hidden = !chosen;
  }

  function refresh() {
    options(truth, "any", examples.map(example => example.truth).filter(value => value !== null));
    options(guess, "any", examples.map(example => example.guess));
    grid.replaceChildren(...cards);
    apply();
  }

  if (page.ask) section.append(exampleRequest(page, section.parentNode.id, asks, example => { examples.unshift(example); cards.unshift(card(example)); show.value = "all"; truth.value = guess.value = words.value = ""; refresh(); choose(example); }));
  if (data.source) {
    const known = data.known ? `; the model is right on ${percentage(1 - data.wrong / data.known)} of ${data.known === data.among ? "them" : `the ${data.known.toLocaleString("en")} whose class is known`}` : "";
    section.append(make("p", {}, `${data.among.toLocaleString("en")} ${data.what} of ${data.source}${known}. The page has the worst mistakes, and some of the others.`));
  }
  const controls = make("div", { class: "fields" }, field("Show", show), field(asks ? "True answer" : "True class", truth), field("The model says", guess), field(asks ? "Words of the question" : "Part of the name", words));
  section.append(detail.element, controls, status, grid);
  for (const element of [show, truth, guess]) element.addEventListener("change", apply);
  words.addEventListener("input", apply);
  if (!examples.some(wrong)) show.value = "all";
  refresh();
  // Show the pictures of one true class that got one guess; the panel of confusions asks for it.
  page.showConfused = (trueLabel, guessLabel) => {
    show.value = "all";
    truth.value = `=${trueLabel}`;
    guess.value = `=${guessLabel}`;
    if (truth.value && guess.value) { chosen = null; words.value = ""; apply(); }
    const found = Boolean(truth.value && guess.value) && cards.some(item => !item.hidden);
    if (found) section.parentNode.scrollIntoView();
    return found;
  };
  page.pictures = { examples, choose, apply, show, truth, guess };
};

const percentage = p => `${(100 * p).toFixed(p < 0.1 || p > 0.99 ? 1 : 0)}%`;

// One picture, large, with the likeliest classes or answers, and where the model looked.
function exampleDetail(wrong, nameless) {
  const looking = new AttentionView("Where the model looked"), name = make("p", { class: "name" });
  const heading = make("h3", { class: "caption", dir: "auto" }), verdict = make("p", { class: "finding" }), found = make("div", {});
  const element = make("article", { class: "looking", "aria-label": "one picture" }, make("div", { class: "seen" }, looking.figure, name), make("div", {}, heading, verdict, found, looking.list));
  function show(example) {
    element.hidden = false;
    heading.textContent = example.question || example.guess;
    name.textContent = example.name;
    const truth = example.truth === null ? nameless : example.truth, of = example.ofTruth === null || example.ofTruth === undefined ? "" : `, to which the model gives ${percentage(example.ofTruth)}`;
    verdict.textContent = example.dropped ? "" : wrong(example) ? `Wrong: it is ${truth}${of}.` : example.truth === null ? `Its class is ${nameless}.` : "Right.";
    found.replaceChildren(bars(example.answers.map(([label, p]) => ({ name: label, p }))));
    const looks = example.maps ? example.looks : [];
    looking.show(example.image, example.question || example.name, looks, example.maps);
  }
  return { element, show };
}

// The form for a photograph, which the server classifies, or answers a question about.
function exampleRequest(page, panel, asks, add) {
  const question = make("input", { type: "text", maxlength: 2000 });
  let last = null;
  const send = async file => {
    last = file;
    if (asks && !question.value.trim()) throw new Error("Type a question first; the photograph stays chosen.");
    const found = await page.ask(panel, file, asks ? { question: question.value } : {});
    add({ ...found, name: file.name, question: asks ? question.value : "", truth: null, image: found.pictures[0], dropped: true });
  };
  const zone = dropZone(page, asks ? "A photograph to ask about" : "A photograph to classify", send);
  if (!asks) return zone;
  const form = make("form", { onsubmit: event => { event.preventDefault(); zone.give(last); } }, field("Question", question), make("p", { class: "buttons" }, make("button", { type: "submit" }, "Ask")));
  zone.prepend(form);
  return zone;
}
