"use strict";
// How surprised the model is by every character, and what it expected in its place.

panels.surprise = (data, page, section) => {
  const { spelling } = page, width = data.likeliest;
  const items = spelling.characters(data.tokens);
  const bitsOf = item => { let sum = 0; for (let i = item.first; i <= item.last; i++) sum += data.bits[i]; return sum; };
  const offers = make("div", { class: "offers", "aria-live": "polite" });
  const expected = item => {
    const entries = Array.from({ length: width }, (_, k) => ({ name: spelling.name(data.expected[item.first * width + k]), p: data.probabilities[item.first * width + k] }));
    offers.replaceChildren(make("h3", {}, `In the place of ${visibleText(item.text)}`), item.first ? bars(entries) : make("p", {}, "Nothing was expected before the first character."));
  };
  const view = new TextView("A text shaded by surprise. Arrow keys move; Enter shows what was expected.", {
    pick: at => expected(items[at]),
    describe: at => (items[at].first ? `${bitsOf(items[at]).toFixed(2)} bits` : ""),
  });
  view.hover = at => view.select(at);
  view.show(items.map(item => ({ ...item, color: item.first ? ONE_SIDED(bitsOf(item) / 8) : "" })));
  const go = passage => {
    const at = items.findIndex(item => item.first >= passage.start);
    view.select(Math.max(0, at), { focus: true });
    view.box.focus();
  };
  section.append(
    make("p", {}, `${data.nats.toFixed(4)} nats, ${(data.nats / Math.LN2).toFixed(4)} bits per ${data.unit} over ${data.predicted.toLocaleString("en")} ${data.unit}s of ${data.source}. The darker a character, the more bits it cost.`),
    view.element, offers, make("h3", {}, "Where it cost most"),
    table(["Passage", "Bits per token"], data.worst.map(passage => [
      make("button", { type: "button", onclick: () => go(passage), disabled: passage.start >= data.tokens.length }, passage.text.replaceAll("\n", "↵")), passage.bits.toFixed(2)]), "The most surprising passages"));
};

// Distill: what a prediction depends on.
panels.memory = (data, page, section) => {
  const { spelling } = page;
  data.stretches.forEach((stretch, number) => {
    const items = spelling.characters(stretch.tokens), width = stretch.width;
    const view = new TextView(`Stretch ${number + 1}: point at a character to see what its prediction depends on.`, {});
    const shade = at => {
      const row = items[at].first - stretch.context;
      view.select(at);
      view.paint(i => {
        const back = items[at].first - 1 - items[i].last;
        return row >= 0 && back >= 0 && back < width && i < at ? ONE_SIDED(stretch.gradients[row * width + back]) : "";
      });
    };
    view.hover = shade;
    view.pick = shade;
    view.show(items.map(item => ({ ...item })));
    section.append(view.element);
  });
  section.prepend(make("p", {}, "Point at a character, or move to it with the arrow keys: the shade of each earlier one is the size of the gradient of its prediction by that one."));
  section.append(make("p", {}, `Nine tenths of all gradient lie within ${data.reach} ${data.reach === 1 ? "character" : "characters"}.`),
    chart([{ name: "gradient", points: data.byDistance.map((value, k) => [k + 1, value]) }], { x: "characters back", y: "mean gradient, share of the last character's", logY: true, label: "How the gradient of a prediction falls with distance" }));
};

// How gradients travel back through time.
panels.flow = (data, page, section) => {
  section.append(
    make("p", { class: "finding" }, data.diagnosis[0].toUpperCase() + data.diagnosis.slice(1) + "."),
    chart([{ name: "norm", points: data.norms.map((value, k) => [k, value]) }], { x: "steps back", y: "norm of the gradient, share of the last state's", logY: true, label: "The norm of the gradient by the state some steps back" }),
    table(["Layer", "Largest singular value of the recurrent kernels"], data.recurrent.map((values, i) => [i + 1, values.length ? values.map(value => value.toFixed(3)).join(", ") : "it has none"])),
    make("p", {}, `The largest singular value of the whole step's Jacobian is ${Math.min(...data.jacobians).toFixed(3)} to ${Math.max(...data.jacobians).toFixed(3)} along the text; from step to step the gradient's norm is multiplied by ${data.growth.toFixed(4)} on average.`),
    make("p", {}, data.clipNorm === null ? "Training did not clip gradients." : `Training clips gradients to the norm ${data.clipNorm}: ${Math.round(100 * data.clipped)}% of ${data.windows} windows are above it (their norms: ${data.leastNorm.toPrecision(3)} to ${data.mostNorm.toPrecision(3)}).`));
};
