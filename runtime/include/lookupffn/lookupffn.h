/** @file
 * LookupFFN layers on a CPU: open a model file, pack a layer, run it.
 *
 * Everything here is plain C: opaque handles, status codes, nothing thrown, printed or aborted.
 * All matrices are row-major float32, the last index contiguous; strides count floats between the
 * starts of two rows. Pointers need the alignment of float only. Sizes are in elements unless a name
 * says bytes. Strings are UTF-8, NUL-terminated, and owned as each function says. */
#ifndef LOOKUPFFN_LOOKUPFFN_H
#define LOOKUPFFN_LOOKUPFFN_H

#include <stddef.h>
#include <stdint.h>

/** Marks the functions that a shared library exports. */
#if defined(LOOKUPFFN_SHARED) && defined(__GNUC__)
#define LOOKUPFFN_API __attribute__((visibility("default")))
#else
#define LOOKUPFFN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------- */

/** What a call came to. */
typedef enum lookupffn_status {
  LOOKUPFFN_OK = 0,
  LOOKUPFFN_INVALID_ARGUMENT = 1,     /**< a null pointer, a size or a name that cannot be */
  LOOKUPFFN_IO_ERROR = 2,             /**< a file is missing, unreadable, or has been cut off */
  LOOKUPFFN_MALFORMED_MODEL = 3,      /**< the file's bytes are not a LookupFFN model */
  LOOKUPFFN_NOT_FOUND = 4,            /**< no layer has that prefix */
  LOOKUPFFN_UNSUPPORTED_ISA = 5,      /**< unknown, not built in, or not runnable on this machine */
  LOOKUPFFN_NO_KERNEL = 6,            /**< specialised kernels were required and none fits */
  LOOKUPFFN_INCOMPATIBLE_KERNELS = 7, /**< a kernel library of another ABI version */
  LOOKUPFFN_OUT_OF_MEMORY = 8,
  LOOKUPFFN_INTERNAL = 9 /**< a kernel or the runtime failed: a bug, please report it */
} lookupffn_status;

/** "ok", "malformed_model", ... A static string, never NULL. */
LOOKUPFFN_API const char *lookupffn_status_name(lookupffn_status status);

/** What went wrong in the last call on this thread that did not return LOOKUPFFN_OK, and how to mend
 * it; "" before any failure. Owned by the library, valid until this thread's next failing call. */
LOOKUPFFN_API const char *lookupffn_last_message(void);

/** The library's version, "MAJOR.MINOR.PATCH". A static string. */
LOOKUPFFN_API const char *lookupffn_version(void);

/* ---- instruction sets --------------------------------------------------------------------- */

/** An ISA, and what this library and this machine make of it. */
typedef struct lookupffn_isa_info {
  const char *name;        /**< "sse41", "avx2", "avx512", "avx512_bf16", "avx512_amx"; static */
  const char *description; /**< what the name stands for; static */
  const char *missing;     /**< what this machine lacks for it, "" where it runs it; static */
  int built_in;            /**< kernels for it are in this library */
  int runnable;            /**< this CPU and this operating system can run it */
  int active;              /**< layers packed now, with no ISA of their own choice, get it */
} lookupffn_isa_info;

/** ISAs known to this library, from the plainest to the widest. Thread-safe. */
LOOKUPFFN_API size_t lookupffn_isa_count(void);
/** The ISA number `index`, 0 to lookupffn_isa_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_isa_at(size_t index, lookupffn_isa_info *info);

/** The ISA that layers are packed for by default: the one forced by lookupffn_force_isa, else the one
 * named by the environment variable LOOKUPFFN_ISA (read once), else the widest that is built in and
 * runnable. Fails with LOOKUPFFN_UNSUPPORTED_ISA where LOOKUPFFN_ISA names one that cannot be had. */
LOOKUPFFN_API lookupffn_status lookupffn_active_isa(const char **name);

/** Forces the active ISA for the process; NULL returns to the automatic choice. Layers that are already
 * packed keep theirs. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_force_isa(const char *name);

/* ---- models ------------------------------------------------------------------------------- */

/** A model file, open and checked. Immutable; may be shared between threads. */
typedef struct lookupffn_model lookupffn_model;

/** How LayerNorm's result h becomes z, whose signs are the codes. */
typedef enum lookupffn_projection {
  LOOKUPFFN_DENSE = 0,        /**< z = W h + b */
  LOOKUPFFN_BH4 = 1,          /**< z = decay * (four block-diagonal products, each followed by a Hadamard transform)
                                     + (1 - decay) * h + b */
  LOOKUPFFN_NO_PROJECTION = 2 /**< z = x, or nothing like z */
} lookupffn_projection;

/** The sizes of a layer. */
typedef struct lookupffn_shape {
  const char *prefix;              /**< "encoder.layer.3.FFN." or ""; owned by the model or layer it came from */
  const char *family;              /**< "lookupffn", ...: see docs/families.md; static */
  lookupffn_projection projection; /**< dense, BH4 or none */
  size_t d_in;                     /**< floats of a row of x; 0: it takes ids */
  size_t d_out;                    /**< floats of a row of y */
  size_t tables;                   /**< how many tables it has */
  size_t bits;                     /**< of a code that is made of signs: rows = 2^bits; else 0 */
  size_t rows;                     /**< of a table */
  size_t lookups;       /**< rows that a token adds up: codes and scores are [tokens, lookups]; 0: as many as it has ids */
  size_t block;         /**< BH4: edge of a block, a power of two; fff: hidden width of a leaf; else 0 */
  size_t repeats;       /**< BH4: max(1, ceil(tables * bits / p)), p = 2^ceil(log2 d_in); dense: 0 */
  float decay;          /**< BH4; dense: 1 */
  float layer_norm_eps; /**< what LayerNorm adds to the variance; 0: there is no LayerNorm */
} lookupffn_shape;

/** Opens a safetensors file, checks all of it, and finds its LookupFFN layers. On success *model is the
 * caller's, to be closed. Anything malformed is LOOKUPFFN_MALFORMED_MODEL with the tensor's name and the
 * reason. The file stays open, and layers are packed by reading it, not from a mapping: where another
 * process cut it off meanwhile, packing is LOOKUPFFN_IO_ERROR and not a SIGBUS. What it wrote into the file
 * is packed unchecked: replace model files by renaming. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_model_open(const char *path, lookupffn_model **model);

/** The same for a model's bytes in memory, which must outlive the model and not change. */
LOOKUPFFN_API lookupffn_status lookupffn_model_open_memory(const void *bytes, size_t size, lookupffn_model **model);

/** Closes a model. Layers packed from it do not need it any more. NULL is fine. */
LOOKUPFFN_API void lookupffn_model_close(lookupffn_model *model);

/** Layers in the order of their prefixes, numbers compared as numbers ("layer.2." before "layer.10."). */
LOOKUPFFN_API size_t lookupffn_model_layer_count(const lookupffn_model *model);
/** The shape of layer `index`, 0 to lookupffn_model_layer_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_model_layer(const lookupffn_model *model, size_t index, lookupffn_shape *shape);

/* ---- layers ------------------------------------------------------------------------------- */

/** A packed layer. Immutable; may be shared between threads. */
typedef struct lookupffn_layer lookupffn_layer;

/** What weights can be packed as; lookupffn_type_at() says more of each. */
typedef enum lookupffn_type {
  LOOKUPFFN_F32 = 0,
  LOOKUPFFN_BF16 = 1,
  LOOKUPFFN_I8 = 2,     /**< tables only: symmetric, one scale a row, max|row| = 127 scale. From avx512_bf16 on, score
                         * times scale is rounded too, to a 131070th of the largest of 16 tables */
  LOOKUPFFN_BF16X3 = 3, /**< projections only: f32 values as sums of three bf16, for AMX to multiply */
  LOOKUPFFN_I4 = 4      /**< tables only: as I8 with max|row| = 7 scale */
} lookupffn_type;

/** A type of weights. */
typedef struct lookupffn_type_info {
  lookupffn_type type;     /**< its number */
  const char *name;        /**< "f32", "bf16", ... static */
  const char *description; /**< static */
  int bits;                /**< of an element */
  int for_tables;          /**< tables can be packed as it */
  int for_projections;     /**< projections can be packed as it */
} lookupffn_type_info;

/** The types that weights can be packed as. Thread-safe. */
LOOKUPFFN_API size_t lookupffn_type_count(void);
/** The type number `index`, 0 to lookupffn_type_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_type_at(size_t index, lookupffn_type_info *info);

/** "f32", ... ; "unknown" for a number that is no type. A static string, never NULL. */
LOOKUPFFN_API const char *lookupffn_type_name(lookupffn_type type);

/** Which kernels a layer may run on. */
typedef enum lookupffn_kernels {
  LOOKUPFFN_ANY_KERNELS = 0,        /**< specialised where registered, else generic */
  LOOKUPFFN_GENERIC_KERNELS = 1,    /**< generic even where specialised ones are registered */
  LOOKUPFFN_SPECIALISED_KERNELS = 2 /**< fail with LOOKUPFFN_NO_KERNEL rather than fall back */
} lookupffn_kernels;

/** Deprecated since 0.2, to go in 0.4: the former name. */
#define LOOKUPFFN_PORTABLE_KERNELS LOOKUPFFN_GENERIC_KERNELS

/** Zero-initialised, every field is its default. */
typedef struct lookupffn_pack_options {
  const char *isa;                /**< NULL: the active ISA */
  lookupffn_kernels kernels;      /**< generic, specialised or either */
  lookupffn_type table_type;      /**< F32, BF16, I8 or I4 */
  lookupffn_type projection_type; /**< F32; BF16, which may flip codes whose |z| is small; BF16X3, which loses
                                   * nothing: on avx512_amx faster than F32 for many tokens, slower for one */
} lookupffn_pack_options;

/** Reads the layer with this prefix ("" or NULL: the model's only layer, whatever its prefix) and packs
 * it for an ISA and for types: weights converted, the Hadamard transform folded into the block matrices,
 * rows padded and aligned, in huge pages where the system offers them. Packing for avx512_amx asks Linux for AMX's tiles, for
 * the whole process: alternative signal stacks (sigaltstack) then need room for them, some 11 KiB. On success *layer is the
 * caller's, to be freed; it is immutable and may be shared between threads. options may be NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_layer_pack(const lookupffn_model *model, const char *prefix,
                                                    const lookupffn_pack_options *options, lookupffn_layer **layer);

/** Frees a layer. No forward of it may be under way. NULL is fine. */
LOOKUPFFN_API void lookupffn_layer_free(lookupffn_layer *layer);

/** What a packed layer is, runs on and weighs. */
typedef struct lookupffn_layer_info {
  lookupffn_shape shape;          /**< its sizes */
  const char *isa;                /**< the ISA it was packed for */
  lookupffn_type table_type;      /**< what its tables were packed as */
  lookupffn_type projection_type; /**< and its projection */
  int specialised;                /**< 1: specialised kernels for every batch class; 0: generic */
  const char *fallback;           /**< why it is generic where specialised was possible, or "" */
  const char *kernels;            /**< one line: kernel library and schedule record per batch class */
  size_t table_bytes;             /**< packed tables and their scales */
  size_t projection_bytes;        /**< packed projection weights */
  size_t packed_bytes;            /**< all that the layer holds */
  size_t huge_page_bytes;         /**< of those, how much the system was asked to hold in huge pages */
  double pack_seconds;            /**< wall-clock time that packing took */
} lookupffn_layer_info;

/** Strings in info are owned by the layer. */
LOOKUPFFN_API lookupffn_status lookupffn_layer_describe(const lookupffn_layer *layer, lookupffn_layer_info *info);

/* ---- threads ------------------------------------------------------------------------------ */

/** The threads that forwards run on. */
typedef struct lookupffn_threads lookupffn_threads;

/** How many threads this process may use: its affinity mask, limited by its cgroup's CPU quota. */
LOOKUPFFN_API size_t lookupffn_default_thread_count(void);

/** A pool of `count` threads, the caller of a forward among them (so 1 starts none); 0 means
 * lookupffn_default_thread_count(). Forwards that share a pool may run concurrently; one that finds it
 * busy runs on its own thread alone. LOOKUPFFN_OUT_OF_MEMORY where the system does not start so many.
 * A fork's child has none of a pool's threads: there, forwards on it run on the calling thread, and freeing
 * it leaves its memory behind. Once a pool has started a thread, dlclose leaves this library loaded. */
LOOKUPFFN_API lookupffn_status lookupffn_threads_create(size_t count, lookupffn_threads **threads);

/** Runs task(task_data, i) for each i in 0..count-1, in any order, on any threads, and returns when all
 * have returned. Calls from several threads at once must be fine. */
typedef void (*lookupffn_parallel_for)(void *pool, size_t count, void (*task)(void *task_data, size_t i), void *task_data);

/** The application's own pool in place of ours: parallel_for(pool, ...) is called, up to `count` tasks
 * at a time. `pool` must outlive the handle. */
LOOKUPFFN_API lookupffn_status lookupffn_threads_wrap(lookupffn_parallel_for parallel_for, void *pool, size_t count,
                                                      lookupffn_threads **threads);

/** How many threads it has; NULL: the process's default pool. */
LOOKUPFFN_API size_t lookupffn_threads_count(const lookupffn_threads *threads);

/** Frees the threads. No forward on them may be under way. NULL is fine. */
LOOKUPFFN_API void lookupffn_threads_free(lookupffn_threads *threads);

/* ---- running ------------------------------------------------------------------------------ */

/** Flags of a forward, joined by |. */
enum {
  LOOKUPFFN_ADD_RESIDUAL = 1, /**< y = x + layer(x); needs d_in = d_out */
  LOOKUPFFN_MEAN = 2          /**< of ids: the mean of a bag's rows, 0 of none, in place of their sum */
};

/** y[n, :] = layer(x[n, :]) for n in 0..tokens-1.
 * - x: [tokens, d_in], x_stride floats from one row to the next, any value
 * - y: [tokens, d_out], y_stride likewise, |y_stride| >= d_out where tokens > 1
 *
 * y may be x itself, with the same stride; rows of y that overlap rows of x otherwise are
 * LOOKUPFFN_INVALID_ARGUMENT. threads NULL: the process's default pool, made at first use, of as many threads
 * as the system starts (a fork's child makes its own). flags: 0 or
 * LOOKUPFFN_ADD_RESIDUAL. A token's bits depend neither on the batch that it came in nor on the threads.
 * Any finite row of x has its y; but where its values differ by less than a millionth of their size, LayerNorm in float
 * sees little but their rounding. A row of x that is not finite gives a row of y that is not finite and touches no other row.
 * Thread-safe; allocates nothing once as many forwards as run at a time have run, but for a thread's first
 * forward, which asks the system for the size of its stack. Kernels need up to 768 KiB of stack. A thread
 * that has less left, the caller or one of the application's pool, has each task run on a thread made for
 * it, which costs some tens of microseconds (LOOKUPFFN_OUT_OF_MEMORY where there is none). */
LOOKUPFFN_API lookupffn_status lookupffn_forward(const lookupffn_layer *layer, lookupffn_threads *threads, const float *x,
                                                 ptrdiff_t x_stride, float *y, ptrdiff_t y_stride, size_t tokens,
                                                 unsigned flags);

/** For layers that take ids (shape.d_in is 0): y[b, :] = bias + sum over the bag's ids of weight * table[id, :].
 * - ids: [count], 0 to rows - 1 each; others are LOOKUPFFN_INVALID_ARGUMENT, and nothing is written
 * - offsets: [bags], ascending: bag b is ids[offsets[b]] up to where the next begins, the last up to `count`
 * - weights: [count], one an id; NULL: all 1
 * - y: [bags, d_out], as for lookupffn_forward
 *
 * flags: 0 or LOOKUPFFN_MEAN, which goes without weights. A bag's bits do not depend on the others or the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_forward_ids(const lookupffn_layer *layer, lookupffn_threads *threads,
                                                     const int64_t *ids, size_t count, const int64_t *offsets, size_t bags,
                                                     const float *weights, float *y, ptrdiff_t y_stride, unsigned flags);

/** The hash alone: code [tokens, lookups] and score [tokens, lookups], both contiguous. Either may be NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_hash(const lookupffn_layer *layer, lookupffn_threads *threads, const float *x,
                                              ptrdiff_t x_stride, int32_t *code, float *score, size_t tokens);

/** The gather alone: y = bias + sum_t score[n, t] * table[t, code[n, t], :]. code and score as above;
 * codes outside 0..rows-1 are LOOKUPFFN_INVALID_ARGUMENT. Scores are as a hash gives them, from 0 on: with tables
 * that have a scale a row, a row of y with a negative one may be NaN. */
LOOKUPFFN_API lookupffn_status lookupffn_gather(const lookupffn_layer *layer, lookupffn_threads *threads, const int32_t *code,
                                                const float *score, float *y, ptrdiff_t y_stride, size_t tokens);

/* ---- training ------------------------------------------------------------------------------ */

/** The kernels and the working memory of training steps of layers of one shape, on weights where the caller
 * has them. Steps may run at the same time; each then has working memory of its own. */
typedef struct lookupffn_training lookupffn_training;

/** For layers of this shape. family is "lookupffn" (NULL means it), prefix is not read; rows, lookups and repeats follow from
 * the others and may be 0. isa NULL: the active ISA. On success *training is the caller's, to be freed. A family that is not
 * trained here, and a shape that cannot be, are LOOKUPFFN_INVALID_ARGUMENT. */
LOOKUPFFN_API lookupffn_status lookupffn_training_create(const lookupffn_shape *shape, const char *isa,
                                                         lookupffn_training **training);

/** Frees it. No step may be under way. NULL is fine. */
LOOKUPFFN_API void lookupffn_training_free(lookupffn_training *training);

/** A layer's weights, as a model file has them: float32, contiguous, the caller's. They may change between steps, but not
 * between a step's hash and its backward. */
typedef struct lookupffn_weights {
  const float *norm_weight;       /**< LayerNorm.weight [d_in] */
  const float *norm_bias;         /**< LayerNorm.bias [d_in] */
  const float *projection_weight; /**< dense [tables * bits, d_in]; BH4 [repeats, 4, p / block, block, block] */
  const float *projection_bias;   /**< [tables * bits] */
  const float *tables;            /**< [tables, rows, d_out] */
  const float *bias;              /**< [d_out] */
} lookupffn_weights;

/** Floats of what a step of so many tokens keeps from its forward for its backward: a number that is the same for all, and for
 * each 16 tokens, begun or whole, another. 0 where they are too many for one step: tokens times the widest of d_in, d_out and
 * tables * bits is less than 2^30. */
LOOKUPFFN_API size_t lookupffn_training_saved_floats(const lookupffn_training *training, size_t tokens);

/** The first half of a forward: LayerNorm, projection, codes and scores of x go to `saved`, which has
 * lookupffn_training_saved_floats(tokens) floats and is the caller's. x as for lookupffn_forward. */
LOOKUPFFN_API lookupffn_status lookupffn_training_hash(const lookupffn_training *training, lookupffn_threads *threads,
                                                       const lookupffn_weights *weights, const float *x, ptrdiff_t x_stride,
                                                       size_t tokens, float *saved);

/** The rows that some token picked, of all tables one below the other (table * rows + code), ascending, each once.
 * *count (never NULL) is how many; rows: room for that many, or NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_training_rows(const lookupffn_training *training, size_t tokens, const float *saved,
                                                       int64_t *rows, size_t *count);

/** The second half: y = bias + sum of score * row. y as for lookupffn_forward. */
LOOKUPFFN_API lookupffn_status lookupffn_training_gather(const lookupffn_training *training, lookupffn_threads *threads,
                                                         const lookupffn_weights *weights, size_t tokens, const float *saved,
                                                         float *y, ptrdiff_t y_stride);

/** Rows of a parameter and their state, which a step of Adam updates where they lie. All are the caller's, contiguous. */
typedef struct lookupffn_row_adam {
  float *parameter;       /**< [rows, width] */
  float *mean;            /**< [rows, width]: the first moment, zero before a row's first step */
  float *square;          /**< [rows, width]: the second moment, likewise */
  int32_t *steps;         /**< [rows]: the steps that a row took part in */
  double *row_log_decay;  /**< [rows]: log of the decay that a row has had */
  size_t rows;            /**< of the parameter */
  size_t width;           /**< floats of a row */
  double lr;              /**< the learning rate; this and the next three as torch.optim.AdamW's */
  double beta1;           /**< how much of the first moment stays */
  double beta2;           /**< how much of the second moment stays */
  double eps;             /**< what is added to the deviation */
  double log_decay;       /**< log of the product of 1 - lr * weight_decay of all steps up to this one, which a row gets before it
                             is updated, as far as it has not had it */
} lookupffn_row_adam;

/** Updates the rows `rows[0..count-1]`, which ascend, each there once, by gradients [count, width]: moments and their bias correction count
 * a row's own steps. A row's bits do not depend on the other rows or the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_row_adam_step(const lookupffn_row_adam *adam, lookupffn_threads *threads,
                                                       const int64_t *rows, const float *gradients, size_t count);

/** Where gradients go, each the caller's and contiguous, of the shapes of what they are gradients of. All are written over. */
typedef struct lookupffn_gradients {
  float *x;                 /**< [tokens, d_in] */
  float *norm_weight;       /**< [d_in] */
  float *norm_bias;         /**< [d_in] */
  float *projection_weight; /**< as the weight */
  float *projection_bias;   /**< [tables * bits] */
  float *bias;              /**< [d_out] */
  float *tables;            /**< [tables, rows, d_out]: all rows, those that no token picked are 0; or NULL */
  float *rows;              /**< [count, d_out], of the rows of lookupffn_training_rows in their order; or NULL */
  /** Updates the rows of the tables at once: their gradient goes nowhere else then. adam->parameter is weights->tables, which is
   * read before it is changed. Or NULL. */
  const lookupffn_row_adam *adam;
} lookupffn_gradients;

/** The gradients of a step with codes held fixed, by d_y [tokens, d_out], the gradient by y, whose rows are d_y_stride floats
 * apart. x, weights, tokens and saved are those of the step's hash. Of `tables`, `rows` and `adam` at most one is not
 * NULL. Sums over tokens have an order of their own: bits do not depend on the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_training_backward(const lookupffn_training *training, lookupffn_threads *threads,
                                                           const lookupffn_weights *weights, const float *x,
                                                           ptrdiff_t x_stride, const float *d_y, ptrdiff_t d_y_stride,
                                                           size_t tokens, const float *saved,
                                                           const lookupffn_gradients *gradients);

/* ---- specialised kernels ------------------------------------------------------------------ */

struct lookupffn_kernel_library; /**< lookupffn/kernels.h */

/** Makes a generated kernel library's kernels available to layers packed from now on; a later
 * registration wins over an earlier one. The header that is generated with the library declares a
 * function that makes this call. `library` must stay valid for the rest of the process. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_register_kernels(const struct lookupffn_kernel_library *library);

/** Loads every kernel library module (lib*.so) of a directory that `lookupffn build` made and registers
 * it. *loaded (may be NULL) is how many. A module that is cut off, half copied say, or is no regular file is
 * LOOKUPFFN_IO_ERROR before it is loaded. A module is code that runs in this process: load only what you trust. */
LOOKUPFFN_API lookupffn_status lookupffn_load_kernels(const char *directory, size_t *loaded);

#ifdef __cplusplus
}
#endif
#endif
