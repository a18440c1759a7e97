"use strict";
// What a classifier takes for what: a row for each true class, a column for each guess.

panels.confusion = (data, page, section) => {
  const { labels, counts, totals } = data;
  const share = (row, column) => (totals[row] ? counts[row][column] / totals[row] : 0);
  const status = make("p", { class: "status", "aria-live": "polite" });
  const say = (row, column) => {
    const times = counts[row][column].toLocaleString("en"), of = totals[row].toLocaleString("en");
    status.textContent = row === column ? `${visibleText(labels[row])}: right ${times} times of ${of}, ${percent(share(row, column))}` : `${visibleText(labels[row])} taken for ${visibleText(labels[column])}: ${times} times of ${of}, ${percent(share(row, column))}`;
  };
  // the panel with the pictures, if the page has it, shows those of a cell
  const look = (row, column) => { if (page.showConfused && !page.showConfused(labels[row], labels[column])) status.textContent += "; none of them is in this page"; };
  const cells = labels.map((_, row) => labels.map((_, column) => {
    const times = counts[row][column];
    const cell = make("td", { class: row === column ? "right" : "", tabindex: row || column ? "-1" : "0", "data-row": row, "data-column": column, onpointerenter: () => say(row, column), onfocus: () => say(row, column), onclick: () => look(row, column) }, times ? times.toLocaleString("en") : "");
    cell.style.backgroundColor = row === column ? `rgba(0, 114, 178, ${0.5 * share(row, column)})` : ONE_SIDED(times ? 0.1 + share(row, column) : 0);
    return cell;
  }));
  // the arrow keys move from cell to cell
  const grid = make("tbody", { onkeydown: event => {
    if (event.key === "Enter" && event.target.dataset.row !== undefined) { event.target.click(); return; }
    const move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key], at = event.target.dataset;
    if (!move || at.row === undefined) return;
    const next = (cells[Number(at.row) + move[0]] || [])[Number(at.column) + move[1]];
    event.preventDefault();
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  } }, ...labels.map((label, row) => make("tr", {}, make("th", { scope: "row" }, visibleText(label)), ...cells[row])));
  const heads = labels.map(label => make("th", { scope: "col" }, make("span", {}, visibleText(label))));
  const some = data.classes > labels.length ? ` The matrix has the ${labels.length} of ${data.classes.toLocaleString("en")} classes with the most mistakes.` : "";
  section.append(
    make("p", {}, `${data.examples.toLocaleString("en")} ${data.what} of ${data.source}: ${percent(data.accuracy)} right.${some} A row is a true class, a column what the model said; blue is right, orange wrong.`),
    make("div", { class: "scroll" }, make("table", { class: "confusion", "aria-label": "true classes in rows, guesses in columns" }, make("thead", {}, make("tr", {}, make("td", {}), ...heads)), grid)), status);
  const share3 = value => (value === null ? "–" : value.toFixed(3));
  if (page.showConfused) section.append(make("p", { class: "about" }, "Click a cell, or press Enter in it, to see its pictures."));
  section.append(make("details", {}, make("summary", {}, "Figures of each class"), table(["Class", "Examples", "Precision", "Recall", "F1"], data.figures.map(([label, examples, ...shares]) => [visibleText(label), examples.toLocaleString("en"), ...shares.map(share3)]), "Classes with the least F1 first")));
  if (data.confused.length) section.append(table(["True class", "Taken for", "Times"], data.confused.map(([truth, guess, times]) => [visibleText(truth), visibleText(guess), times.toLocaleString("en")]), "The most frequent mistakes"));
};
