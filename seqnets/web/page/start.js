"use strict";
// Builds the page from its data.

(function start() {
  const given = JSON.parse(document.getElementById("data").textContent);
  const page = { whenSeen, live: given.live, upload: given.upload, ask: given.live ? askServer : null };
  if (given.network) page.network = new Network(unpackAll(given.network));
  if (given.vocabulary) page.spelling = new Spelling(given.vocabulary);
  const main = document.querySelector("main"), links = document.querySelector("nav ul");
  for (const { name, title, about, draw, data } of given.panels) {
    const section = make("section", { id: name, "aria-labelledby": `${name}-title` });
    const body = make("div", {});
    section.append(make("h2", { id: `${name}-title` }, title), ...(about ? [make("p", { class: "about" }, about)] : []), body);
    main.append(section);
    links.append(make("li", {}, make("a", { href: `#${name}` }, title)));
    try { panels[draw](unpackAll(data), page, body); }
    catch (error) { body.append(make("p", { class: "fault", role: "alert" }, `This panel cannot be shown: ${error.message}`)); console.error(error); }
  }
  document.querySelector("nav").hidden = given.panels.length < 2;
  globalThis.seqnetsPage = page;
  document.documentElement.dataset.ready = "true";
})();

// Call once, when a section comes near the visible part of the page.
function whenSeen(section, action) {
  const watcher = new IntersectionObserver(entries => {
    if (entries.some(entry => entry.isIntersecting)) { watcher.disconnect(); action(); }
  }, { rootMargin: "200px" });
  watcher.observe(section);
}
