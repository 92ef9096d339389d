// The golden cases through the package, as a user calls it.
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

import { fnv1a, goldenCases, knownBits, worstError } from "./golden.mjs";

const { init, Model } = await import(pathToFileURL(join(process.env.LOOKUPFFN_PACKAGE, "lookupffn.js")));
const library = await init();

for (const golden of goldenCases()) {
  test(golden.name, () => {
    const model = Model.fromBytes(golden.model);
    assert.equal(model.layers.length, 1);
    const layer = model.pack(model.layers[0].prefix);
    model.free(); // a packed layer stands alone
    const { dIn, dOut, lookups } = layer.shape;
    const tokens = golden.x.length / dIn;
    const { code, score } = layer.hash(golden.x);
    assert.deepEqual(code, golden.code);
    assert.ok(worstError(score, golden.score, lookups) <= 1);
    const y = layer.forward(golden.x);
    assert.equal(y.length, tokens * dOut);
    assert.ok(worstError(y, golden.y, dOut) <= 1);
    // The gather of the layer's own codes has the same bits, and so has a token in every batch.
    assert.deepEqual(layer.gather(code, score), y);
    for (let count = 1; count < tokens; count += 1 + (count >> 2)) {
      assert.deepEqual(layer.forward(golden.x.slice(0, count * dIn)), y.slice(0, count * dOut), `${count} tokens`);
      assert.deepEqual(layer.forward(golden.x.slice(-count * dIn)), y.slice(-count * dOut), `the last ${count} tokens`);
    }
    layer.free();
  });

  // tests/kernels/shared_bits_test.cc
  test(`${golden.name}: the bits of y that other machines without fused multiply-adds have`, () => {
    const model = Model.fromBytes(golden.model);
    for (const { name: tableType } of library.types.filter((type) => type.forTables)) {
      const layer = model.pack(model.layers[0].prefix, { tableType });
      const line = `${golden.name} ${tableType} rounds_twice ${fnv1a(layer.forward(golden.x))}`;
      assert.ok(knownBits.has(line), `${line} is not in tests/data/y_bits.txt`);
      layer.free();
    }
    model.free();
  });
}
