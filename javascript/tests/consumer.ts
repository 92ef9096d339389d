import { type Shape, init, Model } from "lookupffn";
import { readFileSync } from "node:fs";

await init();
const model = Model.fromBytes(readFileSync(process.argv[2]));
const shape: Shape = model.layers[0];
const layer = model.pack(shape.prefix, { tableType: "i8" });
console.log(`y has ${layer.forward(new Float32Array(shape.dIn).fill(1)).length} numbers`);
