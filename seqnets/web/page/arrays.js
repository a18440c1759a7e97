"use strict";
// Arrays as they are stored in the page: base64 of float32, float16 or int8 with a scale for each column.

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function unpacked({ type, data, scale }) {
  const bytes = bytesOf(data);
  if (type === "float32") return new Float32Array(bytes.buffer);
  if (type === "float16") return Float32Array.from(new Uint16Array(bytes.buffer), halfToNumber);
  if (type === "uint8") return Float32Array.from(bytes, byte => byte / 255);
  const scales = unpacked(scale), values = new Int8Array(bytes.buffer);
  return Float32Array.from(values, (value, i) => value * scales[i % scales.length]);
}

function halfToNumber(half) {
  const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * 2 ** (exponent - 25) * (1024 + fraction);
}

// Replace every packed array of a description.
function unpackAll(value) {
  if (Array.isArray(value)) return value.map(unpackAll);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.data === "string" && value.type) return unpacked(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unpackAll(inner)]));
}
