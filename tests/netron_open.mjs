// Opens model files with Netron's own reader, without its window: node netron_open.mjs FILE..., beside Netron's modules.
// A line of JSON a file: {"file", "format", "nodes", "inputs": {name: type}, "outputs": {name: type}, "facts"}.
import fs from "fs";
import path from "path";
import * as base from "./base.js";
import * as view from "./view.js";

const host = { require: (id) => import(`./${id}.js`), event() {}, exception(error) { throw error; } };

class Context {
  constructor(file) {
    this.identifier = path.basename(file);
    this.stream = new base.BinaryStream(new Uint8Array(fs.readFileSync(file)));
    this.entries = new Map();
    this.host = host;
  }
  require(id) { return host.require(id); }
  async asset(file) { return fs.readFileSync(new URL(file, import.meta.url), "utf-8"); }
  async request(file, encoding) { return fs.readFileSync(new URL(file, import.meta.url), encoding); }
  error(error) { throw error; }
}

const types = (list) => Object.fromEntries(list.map((end) => [end.name, end.value.map((value) => String(value.type)).join()]));

for (const file of process.argv.slice(2)) {
  const model = await new view.ModelFactoryService(host).open(new Context(file));
  const graph = (model.modules || model.graphs)[0];
  console.log(JSON.stringify({
    file: path.basename(file),
    format: model.format,
    nodes: graph.nodes.map((node) => node.type.name),
    inputs: types(graph.inputs),
    outputs: types(graph.outputs),
    facts: (model.metadata || []).map((fact) => fact.name),
  }));
}
