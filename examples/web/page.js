// The page: both models write, what they took and read is shown. Everything runs on this thread, a few milliseconds a frame.
import { ByteModel, loadModule } from "./byte_model.js";
import { HeatMap } from "./heat_map.js";

const BYTES_A_SECOND = [1, 2, 4, 8, 15, 30, 60, 120, 250, 500, Infinity]; // of the slider
const FRAME_MILLISECONDS = 12; // of computing

const element = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const mostBytes = Number(query.get("bytes") ?? 3000);
const files = {
  lookup: query.get("lookup") ?? "models/byte_lm_lookup.safetensors",
  dense: query.get("dense") ?? "models/byte_lm_dense.safetensors",
};

let module;
const modelBytes = {};  // of the two files
let writers = [];       // LookupFFN's, then dense's
let maps = [];          // a HeatMap a layer
let rowsOfBytes = [];   // of each byte that LookupFFN wrote, the rows of each layer
let pointed;            // the byte that the reader points at
let due = 0, last = 0;  // bytes that the pace allows by now; when it was reckoned

const state = (name) => (document.body.dataset.state = name);
const is = (name) => document.body.dataset.state === name;
const say = (text) => (element("message").textContent = text);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`;
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

function failed(error) {
  state("failed");
  element("write").disabled = modelBytes.lookup === undefined || modelBytes.dense === undefined;
  element("pause").disabled = true;
  say(error.message);
  console.error(error);
}

// One model and its panel.
class Writer {
  constructor(id, model) {
    this.model = model;
    this.panel = element(id);
    this.text = this.panel.querySelector(".text");
    this.parts = this.panel.querySelector(".parts");
    this.parts.replaceChildren(...model.facts.parts.map((name) => {
      const part = document.createElement("span");
      part.className = `part-${name}`;
      return part;
    }));
    const read = sum(model.facts.layers.map((layer) => layer.readBytes));
    const all = sum(model.facts.layers.map((layer) => layer.weightBytes));
    const rows = sum(model.facts.layers.map((layer) => layer.tables ?? 0));
    const allRows = sum(model.facts.layers.map((layer) => (layer.tables ?? 0) * layer.rows));
    this.panel.querySelector(".weights").innerHTML = model.facts.dense
      ? `A byte reads all <b>${megabytes(all)}</b> of its feed-forward weights.`
      : `A byte reads <b>${megabytes(read)}</b> of ${megabytes(all)} of feed-forward weights: the projections and
         <b>${rows}</b> of ${allRows.toLocaleString("en")} rows.`;
  }

  start(prompt, options) {
    this.model.start(prompt, options);
    this.bytes = 0;
    const given = document.createElement("span");
    given.className = "given";
    given.textContent = prompt;
    this.text.replaceChildren(given);
    this.fresh = document.createDocumentFragment();
  }

  next() {
    const byte = this.model.next();
    const letter = document.createElement("span");
    letter.textContent = byte === 10 || (byte >= 32 && byte < 127) ? String.fromCharCode(byte) : "\ufffd";
    letter.dataset.index = this.bytes;
    this.fresh.append(letter);
    // The first byte's time is the prompt's.
    if (++this.bytes === 1) this.before = this.model.seconds();
  }

  // Microseconds a byte of each part; none before there is something to go by.
  microseconds() {
    if (this.bytes < 2) return undefined;
    return [...this.model.seconds()].map((seconds, i) => ((seconds - this.before[i]) / (this.bytes - 1)) * 1e6);
  }

  show(slowest) {
    const following = this.text.scrollTop + this.text.clientHeight > this.text.scrollHeight - 40;
    this.text.append(this.fresh);
    if (following) this.text.scrollTop = this.text.scrollHeight;
    const times = this.microseconds();
    if (!times) return;
    this.panel.querySelector(".speed b").textContent = Math.round(1e6 / sum(times)).toLocaleString("en");
    times.forEach((time, i) => {
      const part = this.parts.children[i];
      const name = this.model.facts.parts[i];
      part.style.width = `${(100 * time) / slowest}%`;
      part.textContent = time > 0.12 * slowest ? `${name} ${Math.round(time)} µs` : "";
      part.title = `${name}: ${time.toFixed(1)} µs a byte`;
    });
  }
}

function show() {
  if (!writers[0]?.bytes) return;
  const slowest = Math.max(...writers.map((writer) => sum(writer.microseconds() ?? [1])));
  for (const writer of writers) writer.show(slowest);
  maps.forEach((map, layer) => map.draw(rowsOfBytes[pointed]?.[layer]));
  if (rowsOfBytes[pointed]) {
    const rows = sum(rowsOfBytes[pointed].map((layer) => layer.length));
    element("reading").textContent = `the ${rows} rows of “${lookupText.children[Number(pointed) + 1].textContent}”`;
    return;
  }
  const touched = sum(maps.map((map) => map.touched())), all = sum(maps.map((map) => map.tables * map.rows));
  element("reading").textContent =
    `${writers[0].bytes.toLocaleString("en")} bytes have read ${((100 * touched) / all).toFixed(1)} % of the rows`;
}

function step() {
  for (const writer of writers) writer.next();
  const rows = maps.map((_, layer) => writers[0].model.rowsRead(layer).rows);
  rowsOfBytes.push(rows);
  maps.forEach((map, layer) => map.add(rows[layer]));
}

function frame(now) {
  if (!is("writing")) return;
  try {
    const pace = BYTES_A_SECOND[element("pace").value];
    due = pace === Infinity ? Infinity : Math.min(due + (pace * (now - last)) / 1000, Math.max(1, pace / 10));
    last = now;
    const end = performance.now() + FRAME_MILLISECONDS;
    let stepped = false;
    for (; due >= 1 && writers[0].bytes < mostBytes && performance.now() < end; due -= 1) {
      step();
      stepped = true;
    }
    if (stepped) show();
    if (writers[0].bytes >= mostBytes) return finish("Done. Change the prompt and write again.");
  } catch (error) {
    return failed(error);
  }
  requestAnimationFrame(frame);
}

function finish(text) {
  state("ready");
  say(text);
  element("pause").disabled = true;
  element("pause").textContent = "Pause";
}

function resume() {
  state("writing");
  say("");
  element("pause").disabled = false;
  element("pause").textContent = "Pause";
  due = 1;
  last = performance.now();
  requestAnimationFrame(frame);
}

// Opens the models, with the tables that were chosen.
function openModels() {
  for (const writer of writers) writer.model.close();
  writers = [];
  const tableType = element("tableType").value;
  const lookup = new ByteModel(module, modelBytes.lookup, { tableType });
  const dense = new ByteModel(module, modelBytes.dense);
  if (lookup.facts.dense) throw new Error(`${files.lookup} holds no LookupFFN layers`);
  if (!dense.facts.dense) throw new Error(`${files.dense} is not a dense model`);
  writers = [new Writer("lookup", lookup), new Writer("dense", dense)];
  maps = lookup.facts.layers.map((layer, i) => {
    const figure = document.createElement("div");
    figure.className = "layer";
    const title = document.createElement("h3");
    title.textContent = `layer ${i}`;
    const canvas = document.createElement("canvas");
    canvas.dataset.layer = i;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Layer ${i}: ${layer.tables} tables of ${layer.rows} rows, and which were read`);
    figure.append(title, canvas);
    return new HeatMap(canvas, layer.tables, layer.rows);
  });
  element("layers").replaceChildren(...maps.map((map) => map.canvas.parentElement));
  element("about").textContent = `ISA ${lookup.facts.layers[0].isa}, ${lookup.facts.layers[0].kernels} kernels, one thread; ` +
    `the module has ${(module.moduleBytes / 1000).toFixed(0)} kB. Bytes/s counts the time of computing alone.`;
}

function write() {
  try {
    const prompt = element("prompt").value || "\n";
    const options = { temperature: Number(element("temperature").value), seed: Number(query.get("seed") ?? 1) };
    for (const writer of writers) writer.start(prompt, options);
    for (const map of maps) map.clear();
    rowsOfBytes = [];
    pointed = undefined;
    resume();
  } catch (error) {
    failed(error);
  }
}

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function load() {
  const [code, lookup, dense] = await Promise.all(["byte_lm.wasm", files.lookup, files.dense].map(fetched));
  Object.assign(modelBytes, { lookup, dense });
  module = { ...(await loadModule(code)), moduleBytes: code.length };
  openModels();
  element("write").disabled = false;
  finish("Ready.");
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) write();
}

// ---- what the reader does

element("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
element("pause").addEventListener("click", () => {
  if (is("paused")) return resume();
  state("paused");
  element("pause").textContent = "Go on";
});
element("tableType").addEventListener("change", () => {
  try {
    openModels();
    write();
  } catch (error) {
    failed(error);
  }
});
for (const which of ["lookup", "dense"]) {
  element(`${which}File`).addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file || !module) return;
    const before = modelBytes[which], name = files[which];
    try {
      modelBytes[which] = new Uint8Array(await file.arrayBuffer());
      files[which] = file.name;
      openModels();
      write();
    } catch (error) {
      modelBytes[which] = before;
      files[which] = name;
      openModels();
      failed(error);
    }
  });
}

// The rows of a byte.
const lookupText = element("lookup").querySelector(".text");
lookupText.addEventListener("pointerover", (event) => {
  pointed = event.target.dataset?.index;
  show();
});
lookupText.addEventListener("pointerleave", () => {
  pointed = undefined;
  show();
});

// The bytes of a row.
element("layers").addEventListener("pointermove", (event) => {
  const map = maps[event.target.dataset?.layer];
  if (!map) return;
  const layer = Number(event.target.dataset.layer), box = event.target.getBoundingClientRect();
  const table = Math.min(map.tables - 1, Math.floor(((event.clientY - box.top) / box.height) * map.tables));
  const row = Math.min(map.rows - 1, Math.floor(((event.clientX - box.left) / box.width) * map.rows));
  const readers = rowsOfBytes.flatMap((rows, i) => (rows[layer][table] === row ? [i] : []));
  const letters = readers.slice(-24).map((i) => lookupText.children[i + 1]?.textContent.replace("\n", "↵")).join(" ");
  element("reading").textContent =
    `layer ${layer}, table ${table}, row ${row}: read by ${readers.length} of ${rowsOfBytes.length} bytes  ${letters}`;
});

load().catch(failed);
