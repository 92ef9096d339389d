// What the package promises beside right numbers: types, errors, memory, families that take ids.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

import { goldenCases, tensors, worstError, zeros } from "./golden.mjs";

const address = pathToFileURL(join(process.env.LOOKUPFFN_PACKAGE, "lookupffn.js"));
const { init, LookupFFNError, Model } = await import(address);
const golden = goldenCases().find(({ name }) => name === "bh4_d192_t24_b7");
const failure = (status, words) => (error) => {
  assert.ok(error instanceof LookupFFNError, String(error));
  assert.equal(error.status, status);
  for (const word of words) assert.ok(error.message.includes(word), `'${word}' is not in '${error.message}'`);
  return true;
};

test("nothing works before init()", () => {
  assert.throws(() => Model.fromBytes(golden.model), failure("not_loaded", ["init()"]));
});

test("a module that cannot be loaded may be tried again", async () => {
  await assert.rejects(init(new Uint8Array([1, 2, 3])));
  const library = await init();
  assert.equal(library.isa, "wasm_simd128");
  assert.equal(library.version, JSON.parse(readFileSync(join(process.env.LOOKUPFFN_PACKAGE, "package.json"))).version);
  assert.deepEqual(library.types.filter((type) => type.forTables).map((type) => type.name), ["f32", "bf16", "i8", "i4"]);
  assert.equal(await init(), library);
});

test("the module loads from its bytes, too", async () => {
  const copy = await import(`${address.href}?copy`);
  const library = await copy.init(readFileSync(join(process.env.LOOKUPFFN_PACKAGE, "lookupffn.wasm")));
  assert.equal(library.isa, "wasm_simd128");
});

test("smaller types", () => {
  const model = Model.fromBytes(golden.model.buffer.slice(golden.model.byteOffset, golden.model.byteOffset + golden.model.length));
  const exact = model.pack("");
  const y = exact.forward(golden.x);
  const { tables, rows, dOut } = exact.shape;
  const table = tensors(join(process.env.LOOKUPFFN_TEST_DATA, "golden", `${golden.name}.model.safetensors`)).tables.values;
  let bytes = exact.info.tableBytes;
  // By how much of its row's largest an element may be off.
  for (const [tableType, rounding] of [["bf16", 2 ** -8], ["i8", 0.5 / 127], ["i4", 0.5 / 7]]) {
    const layer = model.pack("", { tableType, projectionType: "bf16x3" });
    assert.equal(layer.info.tableType, tableType);
    assert.equal(layer.info.projectionType, "bf16x3");
    assert.ok(layer.info.tableBytes < bytes);
    bytes = layer.info.tableBytes;
    assert.deepEqual(layer.hash(golden.x).code, golden.code);
    const rounded = layer.forward(golden.x);
    assert.ok(worstError(rounded, y, dOut) > 1, tableType); // it is rounded
    for (let n = 0; n < y.length / dOut; ++n) {
      let most = 0;
      for (let t = 0; t < tables; ++t) {
        const at = (t * rows + golden.code[n * tables + t]) * dOut;
        most += golden.score[n * tables + t] * rounding * Math.max(...table.subarray(at, at + dOut).map(Math.abs));
      }
      for (let i = n * dOut; i < (n + 1) * dOut; ++i) {
        assert.ok(Math.abs(rounded[i] - y[i]) <= 1.001 * most + 1e-5, `${tableType}, token ${n}: ${rounded[i]}, ${y[i]}, ${most}`);
      }
    }
  }
});

test("y, residual and freeing", () => {
  const square = goldenCases().find(({ x, y }) => x.length === y.length);
  const model = Model.fromBytes(square.model);
  const layer = model.pack();
  const y = layer.forward(square.x);
  const x = square.x.slice();
  assert.equal(layer.forward(x, { y: x, addResidual: true }), x);
  assert.deepEqual(x, square.x.map((value, i) => Math.fround(value + y[i])));
  assert.equal(layer.forward(new Float32Array(0)).length, 0);
  layer.free();
  layer.free();
  assert.throws(() => layer.forward(square.x), failure("invalid_argument", ["freed"]));
  model.free();
  assert.throws(() => model.pack(), failure("invalid_argument", ["freed"]));
});

test("ids", () => {
  const path = join(process.env.LOOKUPFFN_TEST_DATA, "families", "embedding_bag.r100_d16.safetensors");
  const table = tensors(path)["embedding_bag.weight"].values;
  const layer = Model.fromBytes(new Uint8Array(readFileSync(path))).pack();
  assert.equal(layer.shape.dIn, 0);
  const row = (id) => table.slice(16 * id, 16 * id + 16);
  assert.deepEqual(layer.forwardIds([7]), row(7));
  const two = layer.forwardIds([3, 99, 5], { offsets: [0, 2], weights: new Float32Array([1, 1, 2]) });
  assert.deepEqual(two.slice(0, 16), row(3).map((value, i) => Math.fround(value + row(99)[i])));
  assert.deepEqual(two.slice(16), row(5).map((value) => 2 * value));
  assert.deepEqual(layer.forwardIds(new BigInt64Array([4n, 4n]), { mean: true }), row(4));
  assert.throws(() => layer.forwardIds([100]), failure("invalid_argument", ["100"]));
  assert.throws(() => layer.forward(new Float32Array(16)), failure("invalid_argument", ["embedding_bag", "ids"]));
});

test("what cannot be says why", () => {
  const model = Model.fromBytes(golden.model);
  const layer = model.pack();
  assert.throws(() => Model.fromBytes(new Uint8Array([1, 2, 3])), failure("malformed_model", []));
  assert.throws(() => Model.fromBytes(golden.model.subarray(0, golden.model.length - 4)), failure("malformed_model", ["cut off"]));
  assert.throws(() => Model.fromBytes("model.safetensors"), TypeError);
  assert.throws(() => model.pack("layer.7."), failure("not_found", ["layer.7."]));
  assert.throws(() => model.pack("", { tableType: "f64" }), failure("invalid_argument", ["f64", "bf16"]));
  assert.throws(() => model.pack("", { tableType: "bf16x3" }), failure("invalid_argument", ["table_type"]));
  assert.throws(() => layer.forward([1, 2]), TypeError);
  assert.throws(() => layer.forward(new Float32Array(191)), failure("invalid_argument", ["191", "192"]));
  assert.throws(() => layer.forward(golden.x, { y: new Float32Array(1) }), failure("invalid_argument", ["y"]));
  const { code, score } = layer.hash(golden.x);
  code[0] = 128;
  assert.throws(() => layer.gather(code, score), failure("invalid_argument", ["128"]));
});

const dense = (tables, bits, dIn, dOut) => ({
  "LayerNorm.weight": [dIn], "LayerNorm.bias": [dIn], "hash.projection.weight": [tables * bits, dIn],
  "hash.projection.bias": [tables * bits], tables: [tables, 2 ** bits, dOut], bias: [dOut],
});

test("numbers of the metadata are read as everywhere", () => {
  const open = (epsilon) => Model.fromBytes(zeros(dense(1, 1, 4, 4), { layer_norm_eps: epsilon }));
  for (const [text, value] of [["1e-3", 1e-3], [".5", 0.5], ["2.", 2], ["1E+0", 1]]) {
    assert.equal(open(text).layers[0].layerNormEps, Math.fround(value), text);
  }
  for (const text of ["", " 1", "1 ", "+1", "0x1p-3", "1,5", "nan", "inf", "1e-3f", "1e99"]) {
    assert.throws(() => open(text), failure("malformed_model", ["layer_norm_eps"]), text);
  }
});

test("packed weights that 32 bits cannot count are refused", () => {
  // 2^26 rows of one number, 128 MB, are packed to 64 bytes each: 2^32.
  const model = Model.fromBytes(zeros(dense(4096, 14, 1, 1), {}));
  assert.throws(() => model.pack(), failure("out_of_memory", ["address space"]));
  model.free();
});

test("memory is given back", () => {
  // 300 models and layers of 4 MB would fill the 32 bits of addresses were they kept.
  for (let i = 0; i < 300; ++i) {
    const model = Model.fromBytes(golden.model);
    const layer = model.pack();
    layer.forward(golden.x);
    layer.free();
    model.free();
    for (let k = 0; k < 3; ++k) assert.throws(() => Model.fromBytes(golden.model.subarray(0, 1000000)));
  }
});
