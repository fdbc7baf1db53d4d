// Runs the page's script on the few parts of a browser that it uses. Every way by which a text
// could become HTML or code is an error here; standard output has the texts that are shown.
"use strict";
const vm = require("node:vm");

const ALLOWED = new Set(["textContent", "className"]);
const classes = new Set();
function element(tag) {
  const own = { tag, textContent: "", className: "", children: [] };
  const methods = {
    insertCell: () => own.children[own.children.push(element("td")) - 1],
    insertRow: () => own.children[own.children.push(element("tr")) - 1],
    deleteRow: () => { own.children.pop(); },
    append: (...more) => { own.children.push(...more); },
  };
  return new Proxy(own, {
    get: (_, name) => {
      if (name === "cells" || name === "rows" || name === "children") return own.children;
      if (name in methods) return methods[name];
      if (name in own || typeof name === "symbol") return own[name];
      throw new Error(`the page reads or calls ${tag}.${String(name)}`);
    },
    set: (_, name, value) => {
      if (!ALLOWED.has(name)) throw new Error(`the page sets ${tag}.${String(name)}`);
      if (name === "className") classes.add(value);
      own[name] = String(value);
      return true;
    },
  });
}
const texts = one => [one.textContent, ...one.children.flatMap(texts)].filter(text => text !== "");

const { page, script, events } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const byId = {};
const listeners = {};
for (const [, id] of page.matchAll(/ id="([a-z]+)"/g)) byId[id] = element(id);
const refuse = what => () => { throw new Error(`the page uses ${what}`); };
class EventSource {
  constructor(address) {
    if (address !== "stream") throw new Error(`the page listens to ${address}`);
  }
  addEventListener(kind, listener) { listeners[kind] = listener; }
}
vm.runInNewContext(script, {
  document: {
    getElementById: id => byId[id],
    createElement: tag => (["div", "dt", "dd"].includes(tag) ? element(tag) : refuse(tag)()),
    write: refuse("document.write"),
  },
  EventSource,
  setTimeout: refuse("setTimeout"),
  fetch: refuse("fetch"),
}, { contextCodeGeneration: { strings: false, wasm: false } });
for (const [kind, data] of events) listeners[kind]({ data });
for (const name of classes)
  if (!/^[a-z ]*$/.test(name)) throw new Error(`a text became a class: ${name}`);
const shown = ["market", "orders", "sessions"].map(id => [id, texts(byId[id])]);
console.log(JSON.stringify(Object.fromEntries(shown)));
