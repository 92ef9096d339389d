// Reads the golden cases (safetensors) and judges results by what docs/guide.md promises of them.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const folder = join(process.env.LOOKUPFFN_TEST_DATA, "golden");

/** The tensors of a safetensors file of F32, I32 and I64: name to {shape, values}. */
export function tensors(path) {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes));
  delete header.__metadata__;
  const types = { F32: Float32Array, I32: Int32Array };
  return Object.fromEntries(Object.entries(header).filter(([, { dtype }]) => dtype in types).map(([name, tensor]) => {
    const [begin, end] = tensor.data_offsets.map((offset) => 8 + headerBytes + offset);
    return [name, { shape: tensor.shape, values: new types[tensor.dtype](file.buffer.slice(file.byteOffset + begin, file.byteOffset + end)) }];
  }));
}

/** A safetensors file of F16 tensors of zeros: `shapes` of each, and metadata. */
export function zeros(shapes, metadata) {
  let end = 0;
  const header = { __metadata__: metadata };
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end;
    end += 2 * shape.reduce((product, extent) => product * extent, 1);
    header[name] = { dtype: "F16", shape, data_offsets: [begin, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

/** Every golden case: its name, its model file's bytes, and x, code, score and y. */
export function goldenCases() {
  const names = readdirSync(folder).filter((name) => name.endsWith(".model.safetensors")).map((name) => name.replace(/\.model\.safetensors$/, ""));
  if (names.length === 0) throw new Error(`${folder} holds no golden case`);
  return names.map((name) => ({
    name,
    model: new Uint8Array(readFileSync(join(folder, `${name}.model.safetensors`))),
    ...Object.fromEntries(Object.entries(tensors(join(folder, `${name}.io.safetensors`))).map(([key, { values }]) => [key, values])),
  }));
}

/** The lines of tests/data/y_bits.txt: a case, a type of tables, a kind of arithmetic, the hash of y. */
export const knownBits = new Set(readFileSync(join(folder, "..", "y_bits.txt"), "utf8").split("\n"));

/** FNV-1a of 64 bits of the bytes of an array, as 16 hexadecimal digits. */
export function fnv1a(array) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}

/** The largest error, in units of 1e-4 of its row's root mean square plus 1e-6. */
export function worstError(found, expected, width) {
  if (found.length !== expected.length) return Infinity;
  let worst = 0;
  for (let at = 0; at < expected.length; at += width) {
    const row = expected.subarray(at, at + width);
    const rms = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / width);
    for (let i = 0; i < width; ++i) {
      const error = Math.abs(found[at + i] - row[i]) / (1e-4 * rms + 1e-6);
      if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
    }
  }
  return worst;
}
