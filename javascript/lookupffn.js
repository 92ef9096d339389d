// LookupFFN layers in JavaScript: the C API of lookupffn.wasm behind two classes. lookupffn.d.ts says what each does.

import { instantiate } from "./system.js";

let library; // the module's exports, once init() has loaded it
let loading; // a promise of them
let facts;   // what describe_library() says

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class LookupFFNError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "LookupFFNError";
    this.status = status;
  }
}

function loaded() {
  if (!library) throw new LookupFFNError("not_loaded", "lookupffn: call and await init() first");
  return library;
}

function textAt(at) {
  const bytes = new Uint8Array(library.memory.buffer, at);
  return decoder.decode(bytes.slice(0, bytes.indexOf(0)));
}

// Throws what the library says where a call failed: it gave a null pointer, or -1.
function checked(result) {
  if (result !== 0 && result !== -1) return result;
  throw new LookupFFNError(textAt(library.failure_status()), textAt(library.failure_message()));
}

const checkedStatus = (status) => void (status === 0 || checked(-1));
const describe = (at) => JSON.parse(textAt(checked(at)));

// body(...places) with each array's bytes in the module's memory, an array of which may be null. Those of `results` are copied
// back. Views are made anew after each call: the memory may have grown and moved.
function withArrays(inputs, results, body) {
  const places = [];
  try {
    for (const array of [...inputs, ...results]) places.push(array ? checked(library.allocate(array.byteLength)) : 0);
    inputs.forEach((array, i) => array && bytesAt(places[i], array).set(bytesOf(array)));
    const result = body(...places);
    results.forEach((array, i) => array && bytesOf(array).set(bytesAt(places[inputs.length + i], array)));
    return result;
  } finally {
    for (const place of places) if (place) library.release(place);
  }
}

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const bytesAt = (place, array) => new Uint8Array(library.memory.buffer, place, array.byteLength);
const cString = (text) => encoder.encode(`${text}\0`);

function expect(array, Type, name) {
  if (!(array instanceof Type)) throw new TypeError(`lookupffn: ${name} is not a ${Type.name}`);
  return array;
}

// How many rows of `width` an array has.
function rowsOf(array, width, name) {
  const rows = array.length / width;
  if (Number.isInteger(rows)) return rows;
  throw new LookupFFNError("invalid_argument", `lookupffn: ${name} has ${array.length} numbers, not a multiple of ${width}`);
}

function sized(array, Type, length, name) {
  if (array === undefined || array === null) return new Type(length);
  if (expect(array, Type, name).length === length) return array;
  throw new LookupFFNError("invalid_argument", `lookupffn: ${name} has ${array.length} numbers; ${length} are needed`);
}

// The garbage collector frees what a program forgets to free.
const forgotten = new FinalizationRegistry((free) => free());

class Handle {
  #place;
  #free;
  #what;
  constructor(place, free, what) {
    this.#place = place;
    this.#free = free;
    this.#what = what;
    forgotten.register(this, free, this);
  }
  get place() {
    if (this.#place) return this.#place;
    throw new LookupFFNError("invalid_argument", `lookupffn: the ${this.#what} was freed`);
  }
  free() {
    if (!this.#place) return;
    this.#place = 0;
    forgotten.unregister(this);
    this.#free();
  }
}

export async function init(source = new URL("./lookupffn.wasm", import.meta.url)) {
  loading ??= instantiate(source);
  try {
    library = await loading;
  } catch (error) {
    loading = undefined; // it may be tried again
    throw error;
  }
  facts ??= describe(library.describe_library());
  return facts;
}

export class Model {
  #handle;
  #layers;

  constructor(handle, layers) {
    this.#handle = handle;
    this.#layers = layers;
  }

  static fromBytes(bytes) {
    const { allocate, release, open_model, close_model, describe_model } = loaded();
    if (bytes instanceof ArrayBuffer) bytes = new Uint8Array(bytes);
    expect(bytes, Uint8Array, "bytes");
    const file = checked(allocate(bytes.byteLength));
    bytesAt(file, bytes).set(bytes);
    const model = open_model(file, bytes.byteLength);
    if (!model) {
      release(file);
      checked(0);
    }
    const free = () => {
      close_model(model);
      release(file);
    };
    return new Model(new Handle(model, free, "model"), Object.freeze(describe(describe_model(model)).map(Object.freeze)));
  }

  get layers() {
    return this.#layers;
  }

  pack(prefix = "", { tableType = "f32", projectionType = "f32" } = {}) {
    const texts = [prefix, tableType, projectionType].map(cString);
    const layer = withArrays(texts, [], (...places) => checked(library.pack_layer(this.#handle.place, ...places)));
    const free = () => library.free_layer(layer);
    return new Layer(new Handle(layer, free, "layer"), Object.freeze(describe(library.describe_layer(layer))));
  }

  free() {
    this.#handle.free();
  }
}

export class Layer {
  #handle;
  #info;

  constructor(handle, info) {
    this.#handle = handle;
    this.#info = info;
  }

  get info() {
    return this.#info;
  }

  get shape() {
    return this.#info.shape;
  }

  forward(x, { y, addResidual = false } = {}) {
    const { dIn, dOut } = this.shape;
    this.#expectVectors("forward");
    const tokens = rowsOf(expect(x, Float32Array, "x"), dIn, "x");
    const result = sized(y, Float32Array, tokens * dOut, "y");
    withArrays([x], [result], (from, to) =>
      checkedStatus(library.forward(this.#handle.place, from, dIn, to, dOut, tokens, addResidual ? 1 : 0)));
    return result;
  }

  forwardIds(ids, { offsets = [0], weights, y, mean = false } = {}) {
    const { dOut } = this.shape;
    const from = ids instanceof BigInt64Array ? ids : BigInt64Array.from(ids, BigInt);
    const starts = offsets instanceof BigInt64Array ? offsets : BigInt64Array.from(offsets, BigInt);
    if (weights) sized(weights, Float32Array, from.length, "weights");
    const result = sized(y, Float32Array, starts.length * dOut, "y");
    withArrays([from, starts, weights], [result], (idsAt, startsAt, weightsAt, to) =>
      checkedStatus(library.forward_ids(this.#handle.place, idsAt, from.length, startsAt, starts.length, weightsAt, to, dOut,
                                        mean ? 1 : 0)));
    return result;
  }

  hash(x) {
    const { dIn, lookups } = this.shape;
    this.#expectVectors("hash");
    const tokens = rowsOf(expect(x, Float32Array, "x"), dIn, "x");
    const code = new Int32Array(tokens * lookups), score = new Float32Array(tokens * lookups);
    withArrays([x], [code, score], (from, codeAt, scoreAt) =>
      checkedStatus(library.hash(this.#handle.place, from, dIn, codeAt, scoreAt, tokens)));
    return { code, score };
  }

  gather(code, score, { y } = {}) {
    const { lookups, dOut } = this.shape;
    this.#expectVectors("gather");
    const tokens = rowsOf(expect(code, Int32Array, "code"), lookups, "code");
    sized(score, Float32Array, code.length, "score");
    const result = sized(y, Float32Array, tokens * dOut, "y");
    withArrays([code, score], [result], (codeAt, scoreAt, to) =>
      checkedStatus(library.gather(this.#handle.place, codeAt, scoreAt, to, dOut, tokens)));
    return result;
  }

  free() {
    this.#handle.free();
  }

  #expectVectors(name) {
    if (this.shape.dIn === 0) {
      throw new LookupFFNError("invalid_argument", `lookupffn: ${name}: a layer of family ${this.shape.family} takes ids`);
    }
  }
}
