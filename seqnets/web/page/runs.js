"use strict";
// The curves of one or several runs, and what the runs are.

panels.curves = (data, page, section) => {
  const host = make("div", {}), log = make("input", { type: "checkbox" });
  const names = [...new Set(data.runs.flatMap(run => run.metrics.flatMap(line => Object.keys(line))))].filter(name => name !== "step");
  const known = name => data.runs.some(run => run.metrics.some(line => Number.isFinite(line[name])));
  const pick = make("select", {}, ...names.filter(known).map(name => make("option", { value: name }, name.replaceAll("_", " "))));
  if (page.live) followRuns(page.live, data, () => draw());
  const pairs = { loss: "validation_" + data.objective };
  const draw = () => {
    const name = pick.value, both = [name, pairs[name]].filter(Boolean);
    const series = data.runs.flatMap(run => both.map(one => ({ name: both.length > 1 || data.runs.length > 1 ? `${run.name}${one === name ? "" : ", validation"}` : one, dashed: one !== name, points: run.metrics.filter(line => Number.isFinite(line[one])).map(line => [line.step, line[one]]) }))).filter(one => one.points.length);
    host.replaceChildren(chart(series, { x: "step", y: name.replaceAll("_", " "), logX: log.checked, label: `${name.replaceAll("_", " ")} during training` }));
  };
  pick.addEventListener("change", draw);
  log.addEventListener("change", draw);
  section.append(make("div", { class: "fields" }, field("Figure", pick), field("Steps on a logarithmic axis", log)), host);
  if (data.differences.length) section.append(make("h3", {}, "What differs"), table(["Setting", ...data.runs.map(run => run.name)], data.differences, "Settings in which the runs differ"));
  if (data.samples && data.samples.length) {
    const text = make("pre", { class: "sample", tabindex: "0", role: "group", "aria-label": "a sample" }, data.samples[data.samples.length - 1].text);
    const slider = make("input", { type: "range", min: 0, max: data.samples.length - 1, value: data.samples.length - 1 });
    const heading = make("h3", {}, `A sample at step ${data.samples[data.samples.length - 1].step}`);
    slider.addEventListener("input", () => { const sample = data.samples[slider.value]; text.textContent = sample.text; heading.textContent = `A sample at step ${sample.step}`; });
    section.append(heading, field("Samples along the curve", slider), text);
  }
  draw();
};

panels.model = (data, page, section) => {
  section.append(table(["What", "Value"], data.facts), make("h3", {}, "The command that made it"), make("pre", { tabindex: "0", role: "group", "aria-label": "command" }, data.command));
  if (data.card) section.append(make("details", {}, make("summary", {}, "Model card"), make("pre", { class: "card", tabindex: "0", role: "group", "aria-label": "model card" }, data.card)));
};
