"use strict";
// What a network of pictures sees: sheets of filters, activations, saliency and neighbors, also of a photograph that is dropped here.

panels.inside = (data, page, section) => {
  const fixed = make("div", { class: "sheets" }), dropped = make("div", { class: "sheets", role: "status" });
  const sheet = one => make("figure", {}, make("img", { src: one.picture, alt: one.about }), make("figcaption", { dir: "auto" }, visibleText(one.title)));
  const show = (place, figures) => place.replaceChildren(...figures.map(sheet));
  if (page.ask) section.append(dropZone(page, "A photograph", async file => show(dropped, (await page.ask(section.parentNode.id, file, {})).figures)), dropped);
  show(fixed, data.figures);
  section.append(fixed);
  page.inside = { show, fixed, dropped };
};
