/** @file
 * What a library of generated kernels looks like to the runtime. Only generated code and the runtime
 * include this; an application calls the registration function of the library's own header. */
#ifndef LOOKUPFFN_KERNELS_H
#define LOOKUPFFN_KERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Grows whenever a kernel's arguments, the packed layout or these structures change. */
#define LOOKUPFFN_KERNEL_ABI_VERSION 4

/** One kernel. Its texts are canonical: "name=value" pairs sorted by name, separated by one space. */
typedef struct lookupffn_kernel {
  const char *kernel;                /**< the generator: "hash", "gather", ... */
  const char *isa;                   /**< the ISA that it was compiled for */
  const char *problem;               /**< what it computes, for example
                                        hash: "bits=8 block=64 d_in=512 projection=bh4 projection_type=f32 repeats=2 tables=128",
                                        norm=none where there is no LayerNorm, zero=one where z >= 0 sets a bit;
                                        gather: "bits=8 d_out=512 table_type=f32 tables=128";
                                        code_and_score: "bits=8 tables=96 zero=one";
                                        embedding_bag: "d_out=128 table_type=i8", d_out as packed;
                                        fff_descent: "d_in=768 depth=11 form=nodes trees=1", or form=leaves;
                                        fff_rows: "d_out=768 depth=11 trees=1"; fff_leaf_product: "inputs=768 outputs=32" */
  const char *batch_class;           /**< a name for the range of tokens that it is meant for: */
  uint32_t min_tokens;               /**< the fewest tokens per call that it is meant for; it computes any number correctly */
  uint32_t max_tokens;               /**< the most tokens, inclusive; UINT32_MAX: no limit */
  const char *schedule;              /**< the schedule parameters that it was generated with; the runtime reads tiles from it */
  const char *provenance;            /**< "default", or the schedule record: "tuned/avx512/NAME.json (this CPU)" */
  int (*function)(void **arguments); /**< Halide's argv convention: one pointer per argument, 0 on success */
} lookupffn_kernel;

/** A library of kernels: what a generated registration function hands to lookupffn_register_kernels(). */
typedef struct lookupffn_kernel_library {
  uint32_t abi_version;            /**< LOOKUPFFN_KERNEL_ABI_VERSION */
  uint32_t kernel_count;           /**< how many kernels it has */
  const char *name;                /**< a name for messages */
  const lookupffn_kernel *kernels; /**< [kernel_count] */
} lookupffn_kernel_library;

/** A loadable module exports its library under this name. */
#define LOOKUPFFN_KERNEL_LIBRARY_SYMBOL "lookupffn_kernel_library_v1"

#ifdef __cplusplus
}
#endif
#endif
