"use strict";
// The curves of a run that trains: the server sends new lines of its metrics.

function followRuns(address, data, redraw) {
  const source = new EventSource(address);
  source.onmessage = event => {
    const { run, from, lines } = JSON.parse(event.data);
    data.runs[run].metrics.splice(from, Infinity, ...lines);
    redraw();
  };
}
