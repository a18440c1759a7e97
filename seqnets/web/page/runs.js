"use strict";
// The curves of one or several runs, and what the runs are.

panels.curves = (data, page, section) => {
  const host = make("div", {}), log = make("input", { type: "checkbox" });
  const pick = make("select", {}), listed = new Set(["step"]);
  const listNames = () => {  // a run that trains brings new figures
    for (const line of data.runs.flatMap(run => run.metrics)) for (const [name, value] of Object.entries(line)) {
      if (listed.has(name) || !Number.isFinite(value)) continue;
      listed.add(name);
      pick.append(make("option", { value: name }, name.replaceAll("_", " ")));
    }
  };
  listNames();
  if (page.live) followRuns(page.live, data, () => { listNames(); samples.renew(); draw(); });
  const pairs = { loss: "validation_" + data.objective };
  const draw = () => {
    const name = pick.value, both = [name, pairs[name]].filter(Boolean);
    const series = data.runs.flatMap(run => both.map(one => ({ name: both.length > 1 || data.runs.length > 1 ? `${run.name}${one === name ? "" : ", validation"}` : one, dashed: one !== name, points: run.metrics.filter(line => Number.isFinite(line[one])).map(line => [line.step, line[one]]) }))).filter(one => one.points.length);
    host.replaceChildren(chart(series, { x: "step", y: name.replaceAll("_", " "), logX: log.checked, marks: samples.marks(), label: `${name.replaceAll("_", " ")} during training` }));
  };
  pick.addEventListener("change", draw);
  log.addEventListener("change", draw);
  section.append(make("div", { class: "fields" }, field("Figure", pick), field("Steps on a logarithmic axis", log)), host);
  const samples = samplesAlong(data, () => draw());
  section.append(samples.element);
  if (data.differences.length) section.append(make("h3", {}, "What differs"), table(["Setting", ...data.runs.map(run => run.name)], data.differences, "Settings in which the runs differ"));
  draw();
};

// What the models wrote at each evaluation: a step is chosen on the curve, or with the arrow keys in the field.
function samplesAlong(data, changed) {
  const slider = make("input", { type: "range", min: 0, step: 1 }), heading = make("h3", {}), texts = make("div", { "aria-live": "polite" });
  const element = make("div", { class: "samples" }, heading, field("Step of the sample", slider), texts);
  let steps = [];
  const chosen = () => steps[Number(slider.value)];
  const show = () => {
    element.hidden = !steps.length;
    if (!steps.length) return;
    heading.textContent = `What the model wrote at step ${chosen().toLocaleString("en")}`;
    slider.setAttribute("aria-valuetext", `step ${chosen()}`);
    texts.replaceChildren(...data.runs.flatMap(run => {
      const sample = run.samples.findLast(one => one.step <= chosen());
      if (!sample) return [];
      const name = data.runs.length > 1 ? `${run.name}, step ${sample.step.toLocaleString("en")}` : "";
      return [name ? make("h4", {}, name) : null, make("pre", { class: "sample", tabindex: "0", role: "group", "aria-label": name || "what the model wrote" }, sample.text)].filter(Boolean);
    }));
  };
  const choose = step => { slider.value = String(steps.indexOf(step)); show(); changed(); };
  // New samples came: stay at the chosen step, or at the last one if that was chosen.
  const renew = () => {
    const before = chosen(), last = !steps.length || Number(slider.value) === steps.length - 1;
    steps = [...new Set(data.runs.flatMap(run => run.samples.map(sample => sample.step)))].sort((a, b) => a - b);
    slider.max = String(Math.max(0, steps.length - 1));
    slider.value = String(last || !steps.includes(before) ? steps.length - 1 : steps.indexOf(before));
    show();
  };
  slider.addEventListener("input", () => { show(); changed(); });
  renew();
  return { element, renew, marks: () => (steps.length ? { at: steps, chosen: chosen(), pick: choose } : null) };
}

panels.model = (data, page, section) => {
  section.append(table(["What", "Value"], data.facts), make("h3", {}, "The command that made it"), make("pre", { tabindex: "0", role: "group", "aria-label": "command" }, data.command));
  if (data.card) section.append(make("details", {}, make("summary", {}, "Model card"), make("pre", { class: "card", tabindex: "0", role: "group", "aria-label": "model card" }, data.card)));
};
