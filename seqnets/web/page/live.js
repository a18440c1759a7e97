"use strict";
// What the server adds: new lines of the metrics of a run that trains, its samples, and answers to what panels send.

function followRuns(address, data, redraw) {
  const source = new EventSource(address);
  source.onmessage = event => {
    const { run, what, from, lines } = JSON.parse(event.data);
    data.runs[run][what].splice(from, Infinity, ...lines);
    redraw();
  };
}

async function askServer(panel, body, settings) {
  const address = `panels/${panel}?settings=${encodeURIComponent(JSON.stringify(settings))}`;
  const answer = await fetch(address, { method: "POST", body });
  const found = await answer.json().catch(() => ({ error: { message: `the server answered ${answer.status}` } }));
  if (!answer.ok) throw new Error(found.error.message);
  return unpackAll(found);
}
