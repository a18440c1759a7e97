"use strict";
// Tokens and texts: a token's spelling is its UTF-8, so that vocabularies of characters, bytes, words and pieces are alike.

class Spelling {
  constructor({ kind, normalize, spelled }) {
    Object.assign(this, { kind, normalize });
    this.spelled = spelled;  // each a string of bytes
    this.tokenOf = new Map(spelled.map((bytes, token) => [bytes, token]));
    this.longest = spelled.reduce((most, bytes) => Math.max(most, bytes.length), 1);
  }

  // {tokens, unknown}: the longest tokens first; characters without a token are left out and listed.
  encode(text) {
    const source = this.normalize === "none" ? text : text.normalize(this.normalize.toUpperCase());
    const tokens = [], unknown = new Set();
    for (let at = 0, bytes = toBytes(source); at < bytes.length; ) {
      let length = Math.min(this.longest, bytes.length - at);
      while (length && !this.tokenOf.has(bytes.slice(at, at + length))) length--;
      if (length) tokens.push(this.tokenOf.get(bytes.slice(at, at + length)));
      else { length = lengthOf(bytes.charCodeAt(at)); unknown.add(fromBytes(bytes.slice(at, at + length))); }
      at += length;
    }
    return { tokens, unknown: [...unknown] };
  }

  // Characters with the places of their first and last token; a character that is not complete has `partial`.
  characters(tokens) {
    const found = [];
    let bytes = "", first = 0;
    tokens.forEach((token, at) => {
      if (!bytes) first = at;
      bytes += this.spelled[token];
      while (bytes) {
        const length = lengthOf(bytes.charCodeAt(0)), piece = bytes.slice(0, length), broken = breaks(piece);
        if (piece.length < length && !broken) break;
        const taken = broken ? 1 : length;
        found.push({ text: broken ? "\ufffd" : fromBytes(piece), first, last: at });
        bytes = bytes.slice(taken);
        first = at;
      }
    });
    if (bytes) found.push({ text: "\ufffd", first, last: tokens.length - 1, partial: true });
    return found;
  }

  // What to call a token: its text, or its bytes where they are no whole character.
  name(token) {
    const bytes = this.spelled[token];
    const whole = this.characters([token]).every(character => character.text !== "\ufffd");
    return whole ? fromBytes(bytes) : Array.from(bytes, byte => "\\x" + byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  }
}

const toBytes = text => Array.from(new TextEncoder().encode(text), byte => String.fromCharCode(byte)).join("");
const fromBytes = bytes => new TextDecoder().decode(Uint8Array.from(bytes, byte => byte.charCodeAt(0)));
const lengthOf = lead => (lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1);

// Whether bytes cannot begin a character of UTF-8.
function breaks(bytes) {
  const lead = bytes.charCodeAt(0);
  if (lead < 0x80) return false;
  if (lead < 0xc2 || lead > 0xf4) return true;
  for (let i = 1; i < bytes.length; i++) {
    const byte = bytes.charCodeAt(i);
    const least = i > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = i > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < least || byte > most) return true;
  }
  return false;
}
