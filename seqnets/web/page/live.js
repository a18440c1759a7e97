"use strict";
// The curves of a run that trains: the server sends new lines of its metrics and its samples.

function followRuns(address, data, redraw) {
  const source = new EventSource(address);
  source.onmessage = event => {
    const { run, what, from, lines } = JSON.parse(event.data);
    data.runs[run][what].splice(from, Infinity, ...lines);
    redraw();
  };
}
