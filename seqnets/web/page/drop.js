"use strict";
// A place for a photograph that the server is asked about.

// take: (file) => promise; what it throws is shown
function dropZone(page, label, take) {
  const input = make("input", { type: "file", accept: "image/*" });
  const note = make("p", { class: "status", role: "status" });
  const zone = make("div", { class: "drop" }, field(label, input, "or drop one here"), note);
  async function give(file) {
    if (!file) return;
    zone.dataset.state = "working";
    note.className = "status";
    note.textContent = `Working on ${file.name} …`;
    try {
      if (file.size > page.upload) throw new Error(`${file.name} has ${Math.ceil(file.size / 1e6)} MB; at most ${Math.floor(page.upload / 1e6)} are taken`);
      await take(file);
      note.textContent = "";
      zone.dataset.state = "done";
    } catch (error) {
      note.className = "status fault";
      note.textContent = error.message;
      zone.dataset.state = "failed";
    }
  }
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";  // so that the same file can be chosen again
    give(file);
  });
  zone.addEventListener("dragover", event => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", event => { event.preventDefault(); zone.classList.remove("over"); give(event.dataTransfer.files[0]); });
  zone.give = give;
  return zone;
}
