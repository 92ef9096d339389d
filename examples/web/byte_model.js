// The byte language model of byte_lm.wasm.
import { instantiate } from "./system.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The module's exports; the arguments are those of instantiate(). */
export const loadModule = (source = new URL("./byte_lm.wasm", import.meta.url)) => instantiate(source);

export class ByteModel {
  #module;
  #model;

  /** From a model file's bytes. The types are for LookupFFN's weights. Throws what is wrong with the file. */
  constructor(module, bytes, { tableType = "f32", projectionType = "f32" } = {}) {
    this.#module = module;
    this.#model = this.#with([bytes, encoder.encode(`${tableType}\0`), encoder.encode(`${projectionType}\0`)],
      (file, table, projection) => this.#checked(module.open_byte_model(file, bytes.byteLength, table, projection)));
    this.facts = JSON.parse(this.#text(this.#checked(module.describe_byte_model(this.#model))));
  }

  /** Begins a text. Temperature 0: always the likeliest byte. */
  start(prompt, { temperature = 0.7, seed = 1 } = {}) {
    const bytes = encoder.encode(prompt);
    this.#with([bytes], (at) => this.#checked(this.#module.start(this.#model, at, bytes.length, temperature, seed) + 1));
  }

  /** The next byte of the text. */
  next() {
    const byte = this.#module.next_byte(this.#model);
    return byte < 0 ? this.#checked(0) : byte;
  }

  /** Seconds of computing since start(), one for each of facts.parts. */
  seconds() {
    return new Float64Array(this.#module.memory.buffer, this.#module.part_seconds(this.#model), this.facts.parts.length).slice();
  }

  /** Which row of each table the last byte read in a layer, and with which scores. */
  rowsRead(layer) {
    const { tables } = this.facts.layers[layer];
    const rows = this.#checked(this.#module.rows_read(this.#model, layer));
    const scores = this.#checked(this.#module.row_scores(this.#model, layer));
    const memory = this.#module.memory.buffer;
    return { rows: new Int32Array(memory, rows, tables).slice(), scores: new Float32Array(memory, scores, tables).slice() };
  }

  close() {
    this.#module.close_byte_model(this.#model);
    this.#model = 0;
  }

  #checked(result) {
    if (result === 0) throw new Error(this.#text(this.#module.failure_message()));
    return result;
  }

  #text(at) {
    const bytes = new Uint8Array(this.#module.memory.buffer, at);
    return decoder.decode(bytes.slice(0, bytes.indexOf(0)));
  }

  // body(...places) with the arrays' bytes in the module's memory.
  #with(arrays, body) {
    const places = [];
    try {
      for (const array of arrays) places.push(this.#checked(this.#module.allocate(array.byteLength)));
      arrays.forEach((array, i) => new Uint8Array(this.#module.memory.buffer, places[i], array.byteLength).set(array));
      return body(...places);
    } finally {
      for (const place of places) this.#module.release(place);
    }
  }
}
