"use strict";
// Captions of pictures: one picture word by word, and all of them as a gallery that can be filtered, edited and saved.

panels.captions = (data, page, section) => {
  const pictures = data.pictures.map(picture => ({ ...picture, edited: null }));
  const detail = captionDetail(), gallery = captionGallery(pictures, picture => choose(picture, true));
  function choose(picture, move = false) {
    detail.show(picture);
    gallery.mark(picture);
    if (move) detail.element.scrollIntoView({ block: "nearest" });
  }
  if (page.ask) section.append(captionRequest(page, picture => { pictures.unshift(picture); gallery.redraw(); choose(picture); }));
  if (data.source) {
    const some = data.among > pictures.length + data.leftOut.length ? `The first ${pictures.length.toLocaleString("en")} of ${data.among.toLocaleString("en")}` : `${pictures.length.toLocaleString("en")}`;
    section.append(make("p", {}, `${some} pictures: ${data.source}.`));
  }
  if (data.leftOut && data.leftOut.length) section.append(make("p", { class: "fault" }, `Left out: ${data.leftOut.slice(0, 5).join("; ")}${data.leftOut.length > 5 ? "; …" : ""}`));
  section.append(detail.element, gallery.element);
  if (pictures.length) choose(pictures[0]); else detail.element.hidden = true;
  page.captions = { pictures, choose, gallery, detail };
};

const captionOf = picture => picture.edited ?? picture.ways[0].captions[0].text;
const nameOf = picture => picture.name || "the picture";

// A probability as people say it: a percentage, or "one in 2,000".
function chance(logProb) {
  const p = Math.exp(logProb);
  return p >= 0.01 ? `${(100 * p).toFixed(p < 0.1 ? 1 : 0)}%` : p > 1e-15 ? `1 in ${Number((1 / p).toPrecision(2)).toLocaleString("en")}` : "almost never";
}

const press = (buttons, index) => [...buttons].forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));

// One picture: its captions by each way, and the words of one of them.
function captionDetail() {
  const looking = new AttentionView("Words, and where the model looked");
  const name = make("p", { class: "name" }), said = make("div", {}), ways = make("p", { class: "buttons" });
  const choices = make("ol", { class: "choices" }), heading = make("h3", { dir: "auto", class: "caption" });
  const hint = make("p", { class: "about" }, "Point at a word, tap it, or move with the arrow keys: what the model looked at stays bright. Escape shows the whole picture.");
  const element = make("article", { class: "looking", "aria-label": "one picture" },
    make("div", { class: "seen" }, looking.figure, name), make("div", {}, heading, ways, choices, hint, looking.list, said));
  let picture = null, way = 0;

  function show(next) {
    picture = next;
    element.hidden = false;
    name.textContent = nameOf(picture);
    said.replaceChildren(...(picture.references.length ? [make("h4", {}, "References"), make("ul", {}, ...picture.references.map(text => make("li", { dir: "auto" }, text)))] : []));
    ways.replaceChildren(...(picture.ways.length < 2 ? [] : picture.ways.map((one, i) => make("button", { type: "button", onclick: () => pickWay(i) }, one.name))));
    pickWay(Math.min(way, picture.ways.length - 1));
  }

  function pickWay(index) {
    way = index;
    press(ways.children, index);
    const found = picture.ways[way].captions, best = Math.max(...found.map(one => one.logProb));
    choices.replaceChildren(...found.map((one, i) => {
      const bar = make("span", { class: "bar" });
      bar.style.width = `${Math.max(1, 100 * Math.exp(one.logProb - best))}%`;
      return make("li", {}, make("button", { type: "button", title: `log-probability ${one.logProb.toFixed(2)}`, onclick: () => pick(i) },
        bar, make("span", { dir: "auto" }, one.text || "(no words)"), make("span", { class: "number" }, chance(one.logProb))));
    }));
    pick(0);
  }

  function pick(index) {
    const caption = picture.ways[way].captions[index];
    press(choices.querySelectorAll("button"), index);
    heading.textContent = caption.text || "(no words)";
    hint.hidden = !caption.maps;
    looking.list.dir = getComputedStyle(heading).direction;
    looking.show(picture.image, caption.text, caption.words, caption.maps);
  }
  return { element, show, looking };
}

// All pictures with their captions, which can be filtered by word, edited, and saved.
function captionGallery(pictures, choose) {
  const filter = make("input", { type: "search" }), chips = make("p", { class: "buttons chips", role: "group", "aria-label": "frequent words" });
  const count = make("p", { class: "status", role: "status" }), grid = make("ul", { class: "gallery" });
  const element = make("div", {}, make("h3", {}, "All pictures"), field("Only captions with these words", filter), chips, count,
    make("p", { class: "buttons" }, make("button", { type: "button", onclick: () => save() }, "Save as CSV")), grid);
  const cards = new Map(), saved = new Map();
  const unsaved = () => pictures.some(picture => saved.has(picture) ? saved.get(picture) !== captionOf(picture) : picture.edited !== null);

  function card(picture) {
    const text = make("textarea", { rows: 3, spellcheck: "true", dir: "auto", "aria-label": `caption of ${nameOf(picture)}` }, captionOf(picture));
    const back = make("button", { type: "button", hidden: true, onclick: () => { picture.edited = null; text.value = captionOf(picture); changed(); } }, "Put back");
    const changed = () => { back.hidden = picture.edited === null; words(); };
    text.addEventListener("input", () => { picture.edited = text.value === picture.ways[0].captions[0].text ? null : text.value; changed(); });
    const view = make("button", { type: "button", class: "picture", "aria-label": `look at ${nameOf(picture)}`, onclick: () => choose(picture) }, make("img", { src: picture.image, alt: "", loading: "lazy" }));
    return make("li", {}, view, make("small", {}, nameOf(picture)), text, back);
  }

  function redraw() {
    for (const picture of pictures) if (!cards.has(picture)) cards.set(picture, card(picture));
    grid.replaceChildren(...pictures.map(picture => cards.get(picture)));
    element.hidden = pictures.length < 2;
    words();
    apply();
  }

  function apply() {
    const wanted = wordsOf(filter.value);
    let shown = 0;
    for (const picture of pictures) {
      const own = wordsOf(captionOf(picture)), fits = wanted.every(word => own.some(other => other.startsWith(word)));
      cards.get(picture).hidden = !fits;
      shown += fits;
    }
    count.textContent = wanted.length ? `${shown.toLocaleString("en")} of ${pictures.length.toLocaleString("en")} pictures` : "";
  }

  function words() {
    const counts = new Map();
    for (const picture of pictures) for (const word of new Set(wordsOf(captionOf(picture)))) counts.set(word, (counts.get(word) || 0) + 1);
    const telling = [...counts].filter(([, n]) => n > 1 && n < 0.9 * pictures.length).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 24);
    chips.replaceChildren(...telling.map(([word, n]) => make("button", { type: "button", onclick: () => { filter.value = word; apply(); } }, `${word} ${n}`)));
  }

  function save() {
    const link = make("a", { href: URL.createObjectURL(new Blob([captionsTable(pictures)], { type: "text/csv" })), download: "captions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    for (const picture of pictures) saved.set(picture, captionOf(picture));
  }
  filter.addEventListener("input", apply);
  addEventListener("beforeunload", event => { if (unsaved()) event.preventDefault(); });
  redraw();
  return { element, redraw, apply, mark: picture => cards.forEach((item, other) => item.classList.toggle("chosen", other === picture)) };
}

const wordsOf = text => text.toLocaleLowerCase().match(/[\p{L}\p{M}\p{N}'’-]+/gu) || [];

// A table that `seqnets train captioner --captions` and `seqnets score` read.
function captionsTable(pictures) {
  const cell = text => `"${text.replaceAll('"', '""')}"`;
  return ["image,caption", ...pictures.map(picture => [nameOf(picture), captionOf(picture).replace(/\s+/g, " ")].map(cell).join(","))].join("\r\n") + "\r\n";
}

// The form for a photograph, which the server captions.
function captionRequest(page, add) {
  const method = make("select", {}, make("option", { value: "beam" }, "search"), make("option", { value: "sample" }, "draw"));
  const settings = {
    n_best: numberField("Captions", 5, { min: 1, max: 20, step: 1 }),
    beam: numberField("Beam", 5, { min: 1, max: 20, step: 1 }),
    temperature: numberField("Temperature", 1, { min: 0.05, max: 10, step: 0.1 }),
    top_p: numberField("Top p", "", { min: 0.01, max: 1, step: 0.05, note: "empty: all" }),
    seed: numberField("Seed", 0, { min: 0, step: 1 }),
  };
  const of = { beam: ["n_best", "beam"], sample: ["n_best", "temperature", "top_p", "seed"] };
  const again = make("button", { type: "button", disabled: true, onclick: () => zone.give(last) }, "Caption it again");
  const arrange = () => Object.entries(settings).forEach(([name, element]) => { element.hidden = !of[method.value].includes(name); });
  let last = null;
  const zone = dropZone(page, "A photograph to caption", async file => {
    const wanted = { method: method.value };
    for (const name of of[method.value]) wanted[name] = numberOf(settings[name]);
    if (wanted.beam) wanted.beam = Math.max(wanted.beam, wanted.n_best);
    const found = await page.ask("captions", file, wanted);
    last = file;
    again.disabled = false;
    add({ ...found, name: file.name, edited: null });
  });
  method.addEventListener("change", arrange);
  arrange();
  zone.append(make("div", { class: "fields" }, field("How", method), ...Object.values(settings)), make("p", { class: "buttons" }, again));
  return zone;
}
