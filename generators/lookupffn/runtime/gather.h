// Codes and scores -> rows of y, on the kernels of a layer.
#ifndef LOOKUPFFN_GATHER_H
#define LOOKUPFFN_GATHER_H

#include <cstddef>

#include "hash.h"
#include "lookupffn_layer.h"

namespace lookupffn {

// Tokens that one call of gather_tokens may take.
constexpr size_t kGatherTokens = 4096;

// Tables and bias of `packed`, and kernels for them.
struct Gathered {
  const PackedLayer& packed;
  const TokenRanges<GatherKernels>& kernels;
};

inline Gathered gathered(const LookupffnLayer& layer) { return {layer.packed, layer.choice().gather}; }

// Bytes that gather_tokens works in for `tokens` tokens.
size_t gather_scratch_bytes(const Gathered& of, const OutputRows& y, size_t tokens);

// y[first..first+count) = bias + sum_t score * row (+ residual), from the same rows of `codes`; only the floats
// from..to-1 of each row, which are multiples of gather_grain or the row's end. scratch: gather_scratch_bytes,
// aligned to 64. Throws Failure where a kernel fails.
void gather_tokens(const Gathered& of, size_t batch, const CodeRows& codes, size_t first, size_t count, size_t from,
                   size_t to, const OutputRows& y, char* scratch);

// `batch`: tokens of the whole batch, which decide the kernel.
// d_out can be shared out between threads in pieces of so many floats.
size_t gather_grain(const Gathered& of, size_t batch);

}  // namespace lookupffn
#endif
