// node run_network.js SOURCES... < {network, spelling, tokens}: prints the logits of every token, as JSON
const fs = require("node:fs"), vm = require("node:vm");
const code = process.argv.slice(2).map(path => fs.readFileSync(path, "utf8").replace('"use strict";', "")).join("\n");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
vm.runInThisContext(code + "\nglobalThis.page = { Network, Spelling, unpackAll, drawToken, likeliest };");
const network = new page.Network(page.unpackAll(given.network));
let state = network.start();
const logits = [], units = [];
const begun = process.hrtime.bigint();
for (const token of given.tokens) {
  const next = network.step(token, state);
  state = next.state;
  logits.push(Array.from(next.logits));
  units.push(Array.from(network.shown(state)));
}
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
process.stdout.write(JSON.stringify({ logits, units, rate: given.tokens.length / seconds }));
