/**
 * LookupFFN layers in JavaScript: open a model file, pack a layer, run it, on WebAssembly with vectors of 128 bits.
 *
 * Everything is of the thread that calls it. Matrices are row-major Float32Arrays, a row a token. Whatever is wrong throws a
 * LookupFFNError whose message names the thing and the fix, or a TypeError for an argument of another type.
 *
 *     import { init, Model } from "lookupffn";
 *     await init();
 *     const model = Model.fromBytes(new Uint8Array(await (await fetch("model.safetensors")).arrayBuffer()));
 *     const layer = model.pack(model.layers[0].prefix, { tableType: "i8" });
 *     const y = layer.forward(x);   // x: [tokens, dIn], y: [tokens, dOut]
 */

/** What went wrong, for programs: a name of lookupffn_status in lookupffn.h, or that init() has not been awaited. */
export type Status =
  | "invalid_argument" | "io_error" | "malformed_model" | "not_found" | "unsupported_isa" | "no_kernel" | "incompatible_kernels"
  | "out_of_memory" | "internal" | "not_loaded";

export class LookupFFNError extends Error {
  constructor(status: Status, message: string);
  readonly status: Status;
}

/** What weights can be packed as. The library's own list is `types` of what init() gives. */
export type TableType = "f32" | "bf16" | "i8" | "i4";
export type ProjectionType = "f32" | "bf16" | "bf16x3";

export interface WeightType {
  readonly name: string;
  readonly description: string;
  /** Of an element. */
  readonly bits: number;
  readonly forTables: boolean;
  readonly forProjections: boolean;
}

export interface Library {
  /** "MAJOR.MINOR.PATCH" */
  readonly version: string;
  /** The instruction set of its kernels: "wasm_simd128". */
  readonly isa: string;
  readonly types: readonly WeightType[];
}

/**
 * Loads the module, once; later calls give the same. Before it is done, nothing else here works.
 * @param source where it is, or what would be there; the default is lookupffn.wasm beside this script
 */
export function init(source?: string | URL | Response | BufferSource | WebAssembly.Module): Promise<Library>;

/** The sizes of a layer. */
export interface Shape {
  /** "encoder.layer.3.FFN." or "" */
  readonly prefix: string;
  /** "lookupffn", "memoryformer", "fff", "embedding_bag" */
  readonly family: string;
  readonly projection: "dense" | "bh4" | "none";
  /** Floats of a row of x; 0: it takes ids. */
  readonly dIn: number;
  /** Floats of a row of y. */
  readonly dOut: number;
  readonly tables: number;
  /** Of a code; 0 where codes are not made of signs. */
  readonly bits: number;
  /** Of a table. */
  readonly rows: number;
  /** Rows that a token adds up; 0: as many as it has ids. */
  readonly lookups: number;
  readonly block: number;
  readonly repeats: number;
  readonly decay: number;
  readonly layerNormEps: number;
}

export interface PackOptions {
  /** Default "f32". */
  tableType?: TableType;
  /** Default "f32". "bf16" may flip codes whose |z| is small. */
  projectionType?: ProjectionType;
}

/** A model file, checked. */
export class Model {
  private constructor();

  /** From the bytes of a safetensors file, which are copied. Throws (malformed_model) with the tensor and the reason. */
  static fromBytes(bytes: Uint8Array | ArrayBuffer): Model;

  /** The shapes of its layers, in the order of their prefixes. */
  readonly layers: readonly Shape[];

  /**
   * Packs a layer.
   * @param prefix the layer's; "" (the default): the model's only layer, whatever its prefix
   */
  pack(prefix?: string, options?: PackOptions): Layer;

  /** Frees its memory. Layers packed from it stay. Without this call, the garbage collector frees it at some time. */
  free(): void;
}

export interface LayerInfo {
  readonly shape: Shape;
  readonly isa: string;
  readonly tableType: TableType;
  readonly projectionType: ProjectionType;
  readonly specialised: boolean;
  /** One line: the kernels of each batch class. */
  readonly kernels: string;
  readonly tableBytes: number;
  readonly projectionBytes: number;
  /** All that the layer holds. */
  readonly packedBytes: number;
}

/** A packed layer. */
export class Layer {
  private constructor();

  readonly info: LayerInfo;
  /** info.shape */
  readonly shape: Shape;

  /**
   * y = layer(x), or with addResidual x + layer(x), which needs dIn = dOut. A token's bits do not depend on its batch.
   * @param x [tokens, dIn]
   * @param options.y where the result goes, [tokens, dOut]; may be x itself; default: a new array
   */
  forward(x: Float32Array, options?: { y?: Float32Array; addResidual?: boolean }): Float32Array;

  /**
   * Of layers that take ids (dIn is 0): the sum of weight * row over the ids of each bag, or their mean.
   * @param ids 0 to rows - 1 each
   * @param options.offsets where each bag begins, ascending; default: all are one bag
   * @param options.weights one an id; default: all 1. Not with mean.
   * @param options.y where the result goes, [bags, dOut]; default: a new array
   */
  forwardIds(
    ids: BigInt64Array | ArrayLike<number> | Iterable<number>,
    options?: { offsets?: BigInt64Array | ArrayLike<number> | Iterable<number>; weights?: Float32Array; y?: Float32Array; mean?: boolean },
  ): Float32Array;

  /** The hash alone: the code and the score of each table, both [tokens, lookups]. */
  hash(x: Float32Array): { code: Int32Array; score: Float32Array };

  /** The gather alone: y = bias + the sum of score[n, t] * table[t, code[n, t]]. */
  gather(code: Int32Array, score: Float32Array, options?: { y?: Float32Array }): Float32Array;

  /** Frees its memory. Without this call, the garbage collector frees it at some time. */
  free(): void;
}
