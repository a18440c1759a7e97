"use strict";
// The steps of the recurrent networks, as in seqnets/ops/recurrent.py: one character in, logits and the next state out.

const sigmoid = x => 1 / (1 + Math.exp(-x));
const softplus = x => (x > 30 ? x : Math.log1p(Math.exp(x)));
const relu = x => (x > 0 ? x : 0);
const positive = x => (x >= 0 ? x + 0.5 : sigmoid(x));
const ACTIVATIONS = { tanh: Math.tanh, relu, positive, identity: x => x };

// out = x @ kernel (+ bias), kernel row by row of the inputs, so that memory is read in order
function multiply(x, kernel, out, bias) {
  const width = out.length;
  if (bias) out.set(bias); else out.fill(0);
  for (let i = 0; i < x.length; i++) {
    const a = x[i];
    if (a === 0) continue;
    const row = i * width;
    for (let j = 0; j < width; j++) out[j] += a * kernel[row + j];
  }
  return out;
}

function layerNorm(x, scale, bias) {
  let mean = 0, variance = 0;
  for (const value of x) mean += value;
  mean /= x.length;
  for (const value of x) variance += (value - mean) ** 2;
  const factor = 1 / Math.sqrt(variance / x.length + 1e-5);
  for (let i = 0; i < x.length; i++) x[i] = (x[i] - mean) * factor * scale[i] + (bias ? bias[i] : 0);
  return x;
}

// Each step writes the new state of a layer; p is the projected input, state a list of its parts (LSTM: cell, hidden).
const STEPS = {
  vanilla(layer, p, [h], [next]) {
    const u = layer.product(0, h), activate = ACTIVATIONS[layer.activation];
    for (let i = 0; i < h.length; i++) next[i] = activate(p[i] + u[i]);
  },
  lstm(layer, p, [c, h], [nextC, nextH]) {
    const u = layer.product(0, h), n = h.length, { cell_scale, cell_bias } = layer.vectors;
    for (let k = 0; k < n; k++) {
      const i = sigmoid(p[k] + u[k]), f = sigmoid(p[n + k] + u[n + k]), g = Math.tanh(p[2 * n + k] + u[2 * n + k]);
      nextC[k] = f * c[k] + i * g;
    }
    const seen = cell_scale ? layerNorm(Float32Array.from(nextC), cell_scale, cell_bias) : nextC;
    for (let k = 0; k < n; k++) nextH[k] = sigmoid(p[3 * n + k] + u[3 * n + k]) * Math.tanh(seen[k]);
  },
  gru_after(layer, p, [h], [next]) {
    const u = layer.product(0, h), n = h.length, bias = layer.vectors.recurrent_bias;
    for (let k = 0; k < n; k++) {
      const r = sigmoid(p[k] + u[k]), z = sigmoid(p[n + k] + u[n + k]);
      const candidate = Math.tanh(p[2 * n + k] + r * (u[2 * n + k] + bias[k]));
      next[k] = candidate + z * (h[k] - candidate);
    }
  },
  gru_before(layer, p, [h], [next]) {
    const u = layer.product(0, h), n = h.length, gated = new Float32Array(n);
    for (let k = 0; k < n; k++) gated[k] = sigmoid(p[k] + u[k]) * h[k];
    const v = layer.product(1, gated);
    for (let k = 0; k < n; k++) {
      const z = sigmoid(p[n + k] + u[n + k]), candidate = Math.tanh(p[2 * n + k] + v[k]);
      next[k] = candidate + z * (h[k] - candidate);
    }
  },
  highway(layer, p, [h], [next]) {
    const n = h.length;
    next.set(h);
    for (let depth = 0; depth < layer.kernels.length; depth++) {
      const u = layer.product(depth, next), from = (depth - 1) * 2 * n;
      const outside = depth ? layer.vectors.depth_bias.subarray(from, from + 2 * n) : p;
      for (let k = 0; k < n; k++) next[k] += sigmoid(outside[n + k] + u[n + k]) * (Math.tanh(outside[k] + u[k]) - next[k]);
    }
  },
  mingru(layer, p, [h], [next]) {
    const n = h.length, activate = ACTIVATIONS[layer.activation];
    for (let k = 0; k < n; k++) next[k] = sigmoid(-p[k]) * h[k] + sigmoid(p[k]) * activate(p[n + k]);
  },
  minlstm(layer, p, [h], [next]) {
    const n = h.length, activate = ACTIVATIONS[layer.activation];
    for (let k = 0; k < n; k++) {
      const odds = softplus(-p[n + k]) - softplus(-p[k]);
      next[k] = sigmoid(odds) * h[k] + sigmoid(-odds) * activate(p[2 * n + k]);
    }
  },
};

class Layer {
  constructor(description, cell, activation) {
    Object.assign(this, description, { cell, activation });
    this.buffers = this.kernels.map(kernel => new Float32Array(kernel.length / this.hidden));
    this.parts = cell === "lstm" ? 2 : 1;
  }

  product(k, a) {
    const out = multiply(a, this.kernels[k], this.buffers[k]);
    return this.scales ? layerNorm(out, this.scales[k]) : out;
  }

  project(x) {
    const { kernel, bias, scale } = this.input, out = new Float32Array(bias.length);
    return scale ? layerNorm(multiply(x, kernel, out), scale, bias) : multiply(x, kernel, out, bias);
  }

  step(projected, state) {
    const next = state.map(part => new Float32Array(part.length));
    STEPS[this.cell](this, projected, state, next);
    this.zoneout.forEach((share, k) => {  // in inference, its expectation
      if (share) for (let i = 0; i < next[k].length; i++) next[k][i] += share * (state[k][i] - next[k][i]);
    });
    return next;
  }
}

// A character model. A state is a list of layers, each a list of its parts, and is never changed in place.
class Network {
  constructor(description) {
    const { cell, activation } = description;
    Object.assign(this, description);
    this.layers = description.layers.map(layer => new Layer(layer, cell, activation));
    this.size = this.outputBias.length;
    this.units = this.layers.reduce((sum, layer) => sum + layer.hidden, 0);
  }

  start() {
    return this.layers.map(layer => Array.from({ length: layer.parts }, () => new Float32Array(layer.hidden)));
  }

  embed(token) {
    if (this.embedding) {
      const width = this.embedding.length / this.size;
      return this.embedding.subarray(token * width, (token + 1) * width);
    }
    const x = new Float32Array(this.size);
    x[token] = 1;
    return x;
  }

  // One character: {logits, state}.
  step(token, state) {
    let x = null;
    const after = this.layers.map((layer, index) => {
      if (index === 0 && (!this.table || this.residual)) x = this.embed(token);
      const width = this.table ? this.table.length / this.size : 0;
      const projected = index === 0 && this.table ? this.table.subarray(token * width, (token + 1) * width) : layer.project(x);
      const next = layer.step(projected, state[index]), output = next[layer.parts - 1];
      x = this.residual && x && x.length === output.length ? output.map((value, i) => value + x[i]) : output;
      return next;
    });
    this.outputKernels.forEach(({ kernel, width, transposed }) => {
      x = transposed ? products(this.embedding, x, width) : multiply(x, kernel, new Float32Array(width));
    });
    return { logits: x.map((value, i) => value + this.outputBias[i]), state: after };
  }

  // What the units show: tanh(c) of an LSTM, h of the others, lowest layer first.
  shown(state) {
    const values = new Float32Array(this.units);
    let at = 0;
    this.layers.forEach((layer, index) => {
      values.set(layer.cell === "lstm" ? state[index][0].map(Math.tanh) : state[index][0], at);
      at += layer.hidden;
    });
    return values;
  }
}

// rows @ x, for an embedding that is also the output kernel
function products(rows, x, count) {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0, row = i * x.length; j < x.length; j++) sum += rows[row + j] * x[j];
    out[i] = sum;
  }
  return out;
}

function logSoftmax(logits) {
  let top = -Infinity, sum = 0;
  for (const value of logits) if (value > top) top = value;
  for (const value of logits) sum += Math.exp(value - top);
  const normalizer = top + Math.log(sum);
  return Float64Array.from(logits, value => value - normalizer);
}

// The k likeliest tokens with their probabilities.
function likeliest(logits, k) {
  const found = logSoftmax(logits), order = Array.from(found.keys()).sort((a, b) => found[b] - found[a] || a - b);
  return order.slice(0, k).map(token => ({ token, p: Math.exp(found[token]) }));
}
