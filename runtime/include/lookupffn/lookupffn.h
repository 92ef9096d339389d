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

/** The result of a call. */
typedef enum lookupffn_status {
  LOOKUPFFN_OK = 0,
  LOOKUPFFN_INVALID_ARGUMENT = 1,     /**< a null pointer, or an impossible size or name */
  LOOKUPFFN_IO_ERROR = 2,             /**< a file is missing, unreadable, or has been cut off */
  LOOKUPFFN_MALFORMED_MODEL = 3,      /**< the file's bytes are not a model of a known family */
  LOOKUPFFN_NOT_FOUND = 4,            /**< no layer has that prefix */
  LOOKUPFFN_UNSUPPORTED_ISA = 5,      /**< unknown, not built in, or not runnable on this machine */
  LOOKUPFFN_NO_KERNEL = 6,            /**< specialised kernels were required and none fit */
  LOOKUPFFN_INCOMPATIBLE_KERNELS = 7, /**< a kernel library of another ABI version */
  LOOKUPFFN_OUT_OF_MEMORY = 8,
  LOOKUPFFN_INTERNAL = 9 /**< a kernel or the runtime failed: a bug, please report it */
} lookupffn_status;

/** "ok", "malformed_model", ... A static string, never NULL. */
LOOKUPFFN_API const char *lookupffn_status_name(lookupffn_status status);

/** What went wrong in the last call on this thread that did not return LOOKUPFFN_OK, and how to fix it; "" before any
 * failure. Owned by the library, valid until this thread's next failing call. */
LOOKUPFFN_API const char *lookupffn_last_message(void);

/** The library's version, "MAJOR.MINOR.PATCH". A static string. */
LOOKUPFFN_API const char *lookupffn_version(void);

/* ---- instruction sets --------------------------------------------------------------------- */

/** An ISA (instruction set), and whether this library and this machine support it. */
typedef struct lookupffn_isa_info {
  const char *name;        /**< "avx2", "neon", ...: the names of docs/isas.md; static */
  const char *description; /**< what the name stands for; static */
  const char *missing;     /**< what this machine lacks for it, "" if it can run it; static */
  int built_in;            /**< this library has kernels for it */
  int runnable;            /**< this CPU and this operating system can run it */
  int active;              /**< it is the default for layers that are packed now */
} lookupffn_isa_info;

/** ISAs known to this library, from the plainest to the widest. Thread-safe. */
LOOKUPFFN_API size_t lookupffn_isa_count(void);
/** The ISA number `index`, 0 to lookupffn_isa_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_isa_at(size_t index, lookupffn_isa_info *info);

/** The ISA that layers are packed for by default: the one forced by lookupffn_force_isa, else the one named by the
 * environment variable LOOKUPFFN_ISA (read once), else the widest that is built in and runnable. Fails with
 * LOOKUPFFN_UNSUPPORTED_ISA if the ISA that LOOKUPFFN_ISA names is not available. */
LOOKUPFFN_API lookupffn_status lookupffn_active_isa(const char **name);

/** Forces the active ISA for the process; NULL returns to the automatic choice. Layers that are already
 * packed keep theirs. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_force_isa(const char *name);

/* ---- models ------------------------------------------------------------------------------- */

/** A model file, open and checked. Immutable; may be shared between threads. */
typedef struct lookupffn_model lookupffn_model;

/** How h, the result of LayerNorm, becomes z. The signs of z make the codes. */
typedef enum lookupffn_projection {
  LOOKUPFFN_DENSE = 0,        /**< z = W h + b */
  LOOKUPFFN_BH4 = 1,          /**< z = decay * (four block-diagonal products, each followed by a Hadamard transform)
                                     + (1 - decay) * h + b */
  LOOKUPFFN_NO_PROJECTION = 2 /**< z = x, or the layer has no z */
} lookupffn_projection;

/** The sizes of a layer. */
typedef struct lookupffn_shape {
  const char *prefix;              /**< "encoder.layer.3.FFN." or ""; owned by the model or layer it came from */
  const char *family;              /**< "lookupffn", ...: see docs/families.md; static */
  lookupffn_projection projection; /**< dense, BH4 or none */
  size_t d_in;                     /**< floats of a row of x; 0: it takes ids */
  size_t d_out;                    /**< floats of a row of y */
  size_t tables;                   /**< how many tables it has */
  size_t bits;                     /**< bits of a code that is made of signs: rows = 2^bits; else 0 */
  size_t rows;                     /**< rows of a table */
  size_t lookups;       /**< rows added up per token: codes and scores are [tokens, lookups]; 0: as many as it has ids */
  size_t block;         /**< BH4: edge of a block, a power of two; fff: hidden width of a leaf; else 0 */
  size_t repeats;       /**< BH4: max(1, ceil(tables * bits / p)), p = 2^ceil(log2 d_in); dense: 0 */
  float decay;          /**< BH4: weight of the projected values in z; dense: 1 */
  float layer_norm_eps; /**< what LayerNorm adds to the variance; 0: there is no LayerNorm */
} lookupffn_shape;

/** Opens a safetensors file, checks all of it, and finds its lookup layers. On success the caller owns *model and must
 * close it. A malformed file gives LOOKUPFFN_MALFORMED_MODEL; the message names the tensor and the reason. The file
 * stays open, and layers are packed by reading it, not from a mapping. If another process cuts it off meanwhile, packing
 * fails with LOOKUPFFN_IO_ERROR, not with a SIGBUS. If another process writes to it, the new content is packed
 * unchecked: replace model files by renaming. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_model_open(const char *path, lookupffn_model **model);

/** The same for a model's bytes in memory. The bytes must outlive the model and must not change. */
LOOKUPFFN_API lookupffn_status lookupffn_model_open_memory(const void *bytes, size_t size, lookupffn_model **model);

/** Closes a model. Layers packed from it stay valid. NULL is fine. */
LOOKUPFFN_API void lookupffn_model_close(lookupffn_model *model);

/** The number of layers. They are in the order of their prefixes, with numbers compared as numbers ("layer.2." before
 * "layer.10."). */
LOOKUPFFN_API size_t lookupffn_model_layer_count(const lookupffn_model *model);
/** The shape of layer `index`, 0 to lookupffn_model_layer_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_model_layer(const lookupffn_model *model, size_t index, lookupffn_shape *shape);

/* ---- layers ------------------------------------------------------------------------------- */

/** A packed layer. Immutable; may be shared between threads. */
typedef struct lookupffn_layer lookupffn_layer;

/** The types that weights can be packed as; lookupffn_type_at() says more about each. */
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
  int bits;                /**< bits of an element */
  int for_tables;          /**< tables can be packed as it */
  int for_projections;     /**< projections can be packed as it */
} lookupffn_type_info;

/** The types that weights can be packed as. Thread-safe. */
LOOKUPFFN_API size_t lookupffn_type_count(void);
/** The type number `index`, 0 to lookupffn_type_count() - 1. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_type_at(size_t index, lookupffn_type_info *info);

/** "f32", ... ; "unknown" for a number that is not a type. A static string, never NULL. */
LOOKUPFFN_API const char *lookupffn_type_name(lookupffn_type type);

/** Which kernels a layer may run on. */
typedef enum lookupffn_kernels {
  LOOKUPFFN_ANY_KERNELS = 0,        /**< specialised if registered, else generic */
  LOOKUPFFN_GENERIC_KERNELS = 1,    /**< generic even if specialised ones are registered */
  LOOKUPFFN_SPECIALISED_KERNELS = 2 /**< fail with LOOKUPFFN_NO_KERNEL rather than fall back */
} lookupffn_kernels;

/** Deprecated since 0.2, to go in 0.4: the former name. */
#define LOOKUPFFN_PORTABLE_KERNELS LOOKUPFFN_GENERIC_KERNELS

/** How to pack a layer. Zero-initialise it: every field then has its default. */
typedef struct lookupffn_pack_options {
  const char *isa;                /**< NULL: the active ISA */
  lookupffn_kernels kernels;      /**< generic, specialised or either */
  lookupffn_type table_type;      /**< F32, BF16, I8 or I4 */
  lookupffn_type projection_type; /**< F32; BF16, which may flip codes whose |z| is small; BF16X3, which loses
                                   * nothing: on avx512_amx faster than F32 for many tokens, slower for one */
} lookupffn_pack_options;

/** Reads the layer with this prefix ("" or NULL: the model's only layer, whatever its prefix) and packs it for an ISA and
 * weight types. Packing converts weights, folds the Hadamard transform into the block matrices, pads and aligns rows,
 * and uses huge pages if the system offers them. Packing for avx512_amx asks Linux for AMX's tiles for the whole
 * process: alternative signal stacks (sigaltstack) then need room for them, about 11 KiB. On success the caller owns *layer and
 * must free it; it is immutable and may be shared between threads. options may be NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_layer_pack(const lookupffn_model *model, const char *prefix,
                                                    const lookupffn_pack_options *options, lookupffn_layer **layer);

/** Frees a layer. No forward of it may be running. NULL is fine. */
LOOKUPFFN_API void lookupffn_layer_free(lookupffn_layer *layer);

/** What a packed layer is, which kernels it runs on, and how much memory it takes. */
typedef struct lookupffn_layer_info {
  lookupffn_shape shape;          /**< its sizes */
  const char *isa;                /**< the ISA it was packed for */
  lookupffn_type table_type;      /**< the type that its tables were packed as */
  lookupffn_type projection_type; /**< the type that its projection was packed as */
  int specialised;                /**< 1: specialised kernels for every batch class; 0: generic */
  const char *fallback;           /**< why it is generic although specialised was possible, or "" */
  const char *kernels;            /**< one line: kernel library and schedule record per batch class */
  size_t table_bytes;             /**< packed tables and their scales */
  size_t projection_bytes;        /**< packed projection weights */
  size_t packed_bytes;            /**< all memory that the layer holds */
  size_t huge_page_bytes;         /**< how much of it the system was asked to hold in huge pages */
  double pack_seconds;            /**< wall-clock time that packing took */
} lookupffn_layer_info;

/** Strings in info are owned by the layer. */
LOOKUPFFN_API lookupffn_status lookupffn_layer_describe(const lookupffn_layer *layer, lookupffn_layer_info *info);

/* ---- threads ------------------------------------------------------------------------------ */

/** The threads that forwards run on. */
typedef struct lookupffn_threads lookupffn_threads;

/** How many threads this process may use: its affinity mask, limited by its cgroup's CPU quota. */
LOOKUPFFN_API size_t lookupffn_default_thread_count(void);

/** Makes a pool of `count` threads. The caller of a forward counts as one of them, so 1 starts none; 0 means
 * lookupffn_default_thread_count(). Forwards that share a pool may run concurrently; a forward that finds the pool busy
 * runs on its own thread alone. LOOKUPFFN_OUT_OF_MEMORY if the system does not start so many threads. After a fork, the
 * child has none of the pool's threads: forwards there run on the calling thread, and freeing the pool leaks its memory.
 * Once a pool has started a thread, dlclose leaves this library loaded. */
LOOKUPFFN_API lookupffn_status lookupffn_threads_create(size_t count, lookupffn_threads **threads);

/** Runs task(task_data, i) for each i in 0..count-1, in any order, on any threads, and returns when all have returned.
 * It must allow calls from several threads at once. */
typedef void (*lookupffn_parallel_for)(void *pool, size_t count, void (*task)(void *task_data, size_t i), void *task_data);

/** Uses the application's own pool instead: parallel_for(pool, ...) is called, with up to `count` tasks at a time. `pool`
 * must outlive the handle. */
LOOKUPFFN_API lookupffn_status lookupffn_threads_wrap(lookupffn_parallel_for parallel_for, void *pool, size_t count,
                                                      lookupffn_threads **threads);

/** How many threads a pool has; NULL: the process's default pool. */
LOOKUPFFN_API size_t lookupffn_threads_count(const lookupffn_threads *threads);

/** Frees the threads. No forward may be running on them. NULL is fine. */
LOOKUPFFN_API void lookupffn_threads_free(lookupffn_threads *threads);

/* ---- running ------------------------------------------------------------------------------ */

/** Flags of a forward, joined by |. */
enum {
  LOOKUPFFN_ADD_RESIDUAL = 1, /**< y = x + layer(x); needs d_in = d_out */
  LOOKUPFFN_MEAN = 2          /**< for ids: the mean of a bag's rows instead of their sum; 0 for an empty bag */
};

/** y[n, :] = layer(x[n, :]) for n in 0..tokens-1.
 * - x: [tokens, d_in], x_stride floats from one row to the next, any value
 * - y: [tokens, d_out], y_stride likewise, |y_stride| >= d_out if tokens > 1
 * - threads: NULL for the process's default pool. It is made at first use, of as many threads as the system starts; a
 *   fork's child makes its own.
 * - flags: 0 or LOOKUPFFN_ADD_RESIDUAL
 *
 * y may be x itself, with the same stride; any other overlap of rows of y and x is LOOKUPFFN_INVALID_ARGUMENT.
 *
 * A token's bits depend neither on the other tokens of the call nor on the threads. Any finite row of x gives its y, but
 * if the values of a row differ by less than a millionth of their size, LayerNorm in float sees little but their
 * rounding. A row of x that is not finite gives a row of y that is not finite, and affects no other row.
 *
 * Thread-safe. Memory is allocated only while more forwards run at a time than ever before, and in a thread's first
 * forward, which asks the system for the size of its stack. Kernels need up to 768 KiB of stack. If a thread has less
 * left, be it the caller or one of the application's pool, each of its tasks runs on a thread made for it. This costs
 * some tens of microseconds; if no such thread can be made, it is LOOKUPFFN_OUT_OF_MEMORY. */
LOOKUPFFN_API lookupffn_status lookupffn_forward(const lookupffn_layer *layer, lookupffn_threads *threads, const float *x,
                                                 ptrdiff_t x_stride, float *y, ptrdiff_t y_stride, size_t tokens,
                                                 unsigned flags);

/** For layers that take ids (shape.d_in is 0): y[b, :] = bias + sum over the bag's ids of weight * table[id, :].
 * - ids: [count], each 0 to rows - 1; others are LOOKUPFFN_INVALID_ARGUMENT, and nothing is written
 * - offsets: [bags], ascending: bag b is ids[offsets[b]] up to the start of the next bag, the last bag up to `count`
 * - weights: [count], one for each id; NULL: all 1
 * - y: [bags, d_out], as for lookupffn_forward
 *
 * flags: 0 or LOOKUPFFN_MEAN, which cannot be combined with weights. A bag's bits depend neither on the other bags nor
 * on the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_forward_ids(const lookupffn_layer *layer, lookupffn_threads *threads,
                                                     const int64_t *ids, size_t count, const int64_t *offsets, size_t bags,
                                                     const float *weights, float *y, ptrdiff_t y_stride, unsigned flags);

/** The hash alone: code [tokens, lookups] and score [tokens, lookups], both contiguous. Either may be NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_hash(const lookupffn_layer *layer, lookupffn_threads *threads, const float *x,
                                              ptrdiff_t x_stride, int32_t *code, float *score, size_t tokens);

/** The gather alone: y = bias + sum_t score[n, t] * table[t, code[n, t], :]. code and score as above; codes outside
 * 0..rows-1 are LOOKUPFFN_INVALID_ARGUMENT. Scores must not be negative, as those of a hash are not: with tables that
 * have a scale per row, a negative score may turn its row of y into NaN. */
LOOKUPFFN_API lookupffn_status lookupffn_gather(const lookupffn_layer *layer, lookupffn_threads *threads, const int32_t *code,
                                                const float *score, float *y, ptrdiff_t y_stride, size_t tokens);

/* ---- training ------------------------------------------------------------------------------ */

/** The kernels and the working memory of training steps for layers of one shape. The weights stay where the caller has
 * them. Steps may run at the same time; each then has working memory of its own. */
typedef struct lookupffn_training lookupffn_training;

/** Makes it for layers of this shape. family is "lookupffn" (NULL means it), prefix is not read; rows, lookups and
 * repeats follow from the others and may be 0. isa NULL: the active ISA. On success the caller owns *training and must
 * free it. A family that cannot be trained here, and an impossible shape, are LOOKUPFFN_INVALID_ARGUMENT. */
LOOKUPFFN_API lookupffn_status lookupffn_training_create(const lookupffn_shape *shape, const char *isa,
                                                         lookupffn_training **training);

/** Frees it. No step may be running. NULL is fine. */
LOOKUPFFN_API void lookupffn_training_free(lookupffn_training *training);

/** A layer's weights, as in a model file: float32, contiguous, owned by the caller. They may change between steps, but
 * not between the hash and the backward of a step. */
typedef struct lookupffn_weights {
  const float *norm_weight;       /**< LayerNorm.weight [d_in] */
  const float *norm_bias;         /**< LayerNorm.bias [d_in] */
  const float *projection_weight; /**< dense [tables * bits, d_in]; BH4 [repeats, 4, p / block, block, block] */
  const float *projection_bias;   /**< [tables * bits] */
  const float *tables;            /**< [tables, rows, d_out] */
  const float *bias;              /**< [d_out] */
} lookupffn_weights;

/** How many floats a step of `tokens` tokens keeps from its forward for its backward: a constant, plus a constant for
 * each 16 tokens, begun or whole. 0 if these are too many for one step: tokens times the largest of d_in, d_out and
 * tables * bits must be less than 2^30. */
LOOKUPFFN_API size_t lookupffn_training_saved_floats(const lookupffn_training *training, size_t tokens);

/** The first half of a forward: writes LayerNorm, projection, codes and scores of x to `saved`, the caller's memory of
 * lookupffn_training_saved_floats(tokens) floats. x as for lookupffn_forward. */
LOOKUPFFN_API lookupffn_status lookupffn_training_hash(const lookupffn_training *training, lookupffn_threads *threads,
                                                       const lookupffn_weights *weights, const float *x, ptrdiff_t x_stride,
                                                       size_t tokens, float *saved);

/** The rows that at least one token picked, each once and ascending. They are numbered through all tables (table * rows +
 * code). *count (never NULL) is how many; rows: room for that many, or NULL. */
LOOKUPFFN_API lookupffn_status lookupffn_training_rows(const lookupffn_training *training, size_t tokens, const float *saved,
                                                       int64_t *rows, size_t *count);

/** The second half: y = bias + sum of score * row. y as for lookupffn_forward. */
LOOKUPFFN_API lookupffn_status lookupffn_training_gather(const lookupffn_training *training, lookupffn_threads *threads,
                                                         const lookupffn_weights *weights, size_t tokens, const float *saved,
                                                         float *y, ptrdiff_t y_stride);

/** Rows of a parameter and their state, which a step of Adam updates in place. All arrays are contiguous and the
 * caller's. */
typedef struct lookupffn_row_adam {
  float *parameter;      /**< [rows, width] */
  float *mean;           /**< [rows, width]: the first moment, zero before a row's first step */
  float *square;         /**< [rows, width]: the second moment, likewise */
  int32_t *steps;        /**< [rows]: the number of steps that a row took part in */
  double *row_log_decay; /**< [rows]: log of the weight decay already applied to a row */
  size_t rows;           /**< rows of the parameter */
  size_t width;          /**< floats of a row */
  double lr;             /**< the learning rate; this and the next three are as in torch.optim.AdamW */
  double beta1;          /**< how much of the first moment stays */
  double beta2;          /**< how much of the second moment stays */
  double eps;            /**< what is added to the square root of the second moment */
  double log_decay; /**< log of the product of 1 - lr * weight_decay over all steps up to this one; a row gets the part that
                       it has not had yet before it is updated */
} lookupffn_row_adam;

/** Updates the rows `rows[0..count-1]`, ascending and each once, by gradients [count, width]. Moments and their bias
 * correction count a row's own steps. A row's bits depend neither on the other rows nor on the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_row_adam_step(const lookupffn_row_adam *adam, lookupffn_threads *threads,
                                                       const int64_t *rows, const float *gradients, size_t count);

/** Where gradients are written. Each is contiguous, owned by the caller, and has the shape of what it is the gradient of.
 * All are overwritten. */
typedef struct lookupffn_gradients {
  float *x;                 /**< [tokens, d_in] */
  float *norm_weight;       /**< [d_in] */
  float *norm_bias;         /**< [d_in] */
  float *projection_weight; /**< shaped like the weight */
  float *projection_bias;   /**< [tables * bits] */
  float *bias;              /**< [d_out] */
  float *tables;            /**< [tables, rows, d_out]: all rows, 0 for those that no token picked; or NULL */
  float *rows;              /**< [count, d_out]: the rows of lookupffn_training_rows, in their order; or NULL */
  /** Updates the rows of the tables immediately instead of writing their gradient. adam->parameter is weights->tables, each row
   * of which is read before it is changed. Or NULL. */
  const lookupffn_row_adam *adam;
} lookupffn_gradients;

/** The gradients of a step with codes held fixed. d_y [tokens, d_out] is the gradient of the loss by y; its rows are
 * d_y_stride floats apart. x, weights, tokens and saved are those of the step's hash. At most one of `tables`, `rows`
 * and `adam` of *gradients may be set. Sums over tokens have a fixed order, so bits do not depend on the threads. */
LOOKUPFFN_API lookupffn_status lookupffn_training_backward(const lookupffn_training *training, lookupffn_threads *threads,
                                                           const lookupffn_weights *weights, const float *x, ptrdiff_t x_stride,
                                                           const float *d_y, ptrdiff_t d_y_stride, size_t tokens,
                                                           const float *saved, const lookupffn_gradients *gradients);

/* ---- specialised kernels ------------------------------------------------------------------ */

struct lookupffn_kernel_library; /**< lookupffn/kernels.h */

/** Makes the kernels of a generated kernel library available to layers packed from now on; a later registration takes
 * precedence over an earlier one. The header that is generated with the library declares a function that makes this
 * call. `library` must stay valid for the rest of the process. Thread-safe. */
LOOKUPFFN_API lookupffn_status lookupffn_register_kernels(const struct lookupffn_kernel_library *library);

/** Loads and registers every kernel library module (lib*.so) of a directory that `lookupffn build` made. *loaded (may be
 * NULL) is how many. A module that is cut off (half copied, for example) or is not a regular file is LOOKUPFFN_IO_ERROR,
 * before it is loaded. A module is code that runs in this process: load only what you trust. */
LOOKUPFFN_API lookupffn_status lookupffn_load_kernels(const char *directory, size_t *loaded);

#ifdef __cplusplus
}
#endif
#endif
