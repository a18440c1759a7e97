"use strict";
// A picture that stays bright where the model looked, and a button for each word, or each look.

const DIM = 0.72;  // how dark it gets where the model did not look
const SHARP = 640;  // pixels that the darkness has at least, for small pictures

class AttentionView {
  constructor(label) {
    this.image = make("img", { alt: "" });
    this.overlay = make("canvas", { "aria-hidden": "true" });
    this.figure = make("figure", { class: "view" }, this.image, this.overlay);
    this.list = make("ul", { class: "words", "aria-label": label });
    this.buttons = [];
    this.turn = 0;
  }

  // address: of the picture; words: texts; maps: {rows, columns, weights} with one map for each word, or null
  async show(address, alt, words, maps) {
    const mine = ++this.turn;
    this.maps = maps;
    this.pinned = null;
    this.size = [1, 1];
    this.image.src = address;
    this.image.alt = alt;
    this.buttons = maps ? words.map((word, i) => this.button(word, i)) : [];
    this.list.replaceChildren(...this.buttons.map(button => make("li", {}, button)));
    this.light(null);
    await this.image.decode().catch(() => {});  // it fails where the next picture came first
    if (mine !== this.turn) return;
    const { naturalWidth, naturalHeight } = this.image, scale = Math.max(1, SHARP / Math.max(naturalWidth, naturalHeight));
    this.size = [naturalWidth, naturalHeight].map(side => Math.round(side * scale));
    this.light(this.pinned);
    this.buttons.forEach((button, i) => this.thumbnail(button, i));
  }

  map(index) {
    const { rows, columns, weights } = this.maps, size = rows * columns;
    return { rows, columns, weights: weights.subarray(index * size, (index + 1) * size) };
  }

  button(word, index) {
    const label = `${word}: looked ${placeOf(this.map(index))}`, mouse = event => event.pointerType === "mouse";
    return make("button", {
      type: "button", "aria-pressed": "false", "aria-label": label, "data-word": word,
      onpointerenter: event => { if (mouse(event)) this.light(index); },
      onpointerleave: event => { if (mouse(event)) this.light(this.pinned); },
      onfocus: event => { if (event.target.matches(":focus-visible")) this.pin(index); },
      onclick: () => this.pin(this.pinned === index ? null : index),
      onkeydown: event => this.key(event, index),
    }, make("canvas", { "aria-hidden": "true" }), word);
  }

  key(event, index) {
    const right = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    const to = { ArrowRight: index + right, ArrowLeft: index - right, Home: 0, End: this.buttons.length - 1 }[event.key];
    if (event.key === "Escape") this.pin(null);
    if (to === undefined || !this.buttons[to]) return;
    event.preventDefault();
    this.buttons[to].focus({ focusVisible: true });
    this.pin(to);
  }

  pin(index) {
    this.pinned = index;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
    this.light(index);
  }

  light(index) {
    [this.overlay.width, this.overlay.height] = this.size;  // which also clears it
    this.figure.dataset.shown = index === null ? "" : this.buttons[index].dataset.word;
    if (index !== null) shade(this.overlay, this.map(index));
  }

  thumbnail(button, index) {
    const canvas = button.querySelector("canvas"), [width, height] = this.size;
    [canvas.width, canvas.height] = [160, Math.max(1, Math.round(160 * height / width))];
    shade(canvas, this.map(index));
    const pen = canvas.getContext("2d");
    pen.globalCompositeOperation = "destination-over";
    pen.drawImage(this.image, 0, 0, canvas.width, canvas.height);
  }
}

// Draw a map as darkness over a canvas. It gets a border of one location, so that the edges are as bright as what is beside them.
function shade(canvas, { rows, columns, weights }) {
  const inside = (i, size) => Math.min(size - 1, Math.max(0, i - 1));
  const small = make("canvas", { width: columns + 2, height: rows + 2 }), pixels = new ImageData(columns + 2, rows + 2);
  for (let y = 0; y < rows + 2; y++) for (let x = 0; x < columns + 2; x++) {
    pixels.data[4 * (y * (columns + 2) + x) + 3] = Math.round(255 * DIM * (1 - weights[inside(y, rows) * columns + inside(x, columns)]));
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  const { width, height } = canvas, pen = canvas.getContext("2d", { willReadFrequently: true }), w = width / columns, h = height / rows;
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "low";  // linear: what is finer overshoots
  pen.drawImage(small, -w, -h, width + 2 * w, height + 2 * h);
  outline(pen, width, height);
}

// A line where the attention is half of its largest value, for pictures that are dark themselves.
function outline(pen, width, height) {
  const pixels = pen.getImageData(0, 0, width, height), data = pixels.data, reach = Math.max(1, Math.round(width / 150));
  const dim = Uint8Array.from({ length: width * height }, (_, i) => Number(data[4 * i + 3] > 127 * DIM));
  for (let y = 0; y + reach < height; y++) for (let x = 0; x + reach < width; x++) {
    const i = y * width + x;
    if (dim[i] !== dim[i + reach] || dim[i] !== dim[i + reach * width]) data.set([255, 140, 26, 255], 4 * i);
  }
  pen.putImageData(pixels, 0, 0);
}

// Where most of the attention is, in words for screen readers.
function placeOf({ rows, columns, weights }) {
  let total = 0, most = 0, row = 0, column = 0;
  weights.forEach((weight, i) => {
    total += weight;
    most = Math.max(most, weight);
    row += weight * (Math.floor(i / columns) + 0.5);
    column += weight * (i % columns + 0.5);
  });
  if (total <= 0 || most < 1.5 * total / weights.length) return "everywhere";
  const third = (value, size) => Math.min(2, Math.floor(3 * value / total / size));
  const vertical = ["top", "middle", "bottom"][third(row, rows)], horizontal = ["left", "center", "right"][third(column, columns)];
  return vertical === "middle" && horizontal === "center" ? "at the center" : `at the ${vertical} ${horizontal}`;
}
