"use strict";
// How the next token is drawn: the filters of seqnets/decode/filters.py in the same order, and random numbers from a seed.

const COLDEST = 2 ** -20;

const FILTERS = {
  repetition_penalty: (logits, penalty, recent) => {
    for (const token of new Set(recent)) logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
  },
  temperature: (logits, temperature) => logits.forEach((value, i) => { logits[i] = value / Math.max(temperature, COLDEST); }),
  top_k: (logits, k) => keep(logits, Math.max(1, Math.min(k, logits.length))),
  top_p: (logits, p) => {
    if (p >= 1) return;
    const ordered = logSoftmax(logits.slice().sort((a, b) => b - a));
    let sum = 0, count = 1;
    for (const value of ordered) { sum += Math.exp(value); if (sum < p - 1e-6) count++; }
    keep(logits, Math.min(count, logits.length));
  },
  min_p: (logits, p) => {
    const floor = Math.max(...logits) + Math.log(p);
    logits.forEach((value, i) => { if (value < floor) logits[i] = -Infinity; });
  },
};

// Keep the `count` largest logits, of equal ones the first.
function keep(logits, count) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  for (const i of order.slice(count)) logits[i] = -Infinity;
}

// Numbers in (0, 1) from a seed and a position, so that the same place of a text always draws alike (mulberry32).
function randomNumbers(seed, position) {
  let a = (Math.imul(seed >>> 0, 0x9e3779b1) ^ Math.imul(position + 1, 0x85ebca6b)) >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

// Draw a token by the Gumbel-max trick; the likeliest one at temperature 0.
function drawToken(logits, settings, recent, position) {
  const filtered = Float64Array.from(logits);
  for (const [name, apply] of Object.entries(FILTERS)) {
    if (settings[name] !== null && settings[name] !== undefined) apply(filtered, settings[name], recent);
  }
  const random = randomNumbers(settings.seed, position);
  let best = 0, most = -Infinity;
  filtered.forEach((value, i) => {
    const noise = settings.temperature > 0 ? -Math.log(-Math.log(random())) : 0;
    if (value + noise > most) { most = value + noise; best = i; }
  });
  return best;
}
