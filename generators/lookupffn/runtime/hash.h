// Tokens -> codes and scores, on the kernels of a layer.
#ifndef LOOKUPFFN_HASH_H
#define LOOKUPFFN_HASH_H

#include <cstddef>
#include <cstdint>

#include "lookupffn_layer.h"
#include "rows.h"

namespace lookupffn {

// Codes and scores as the kernels write and read them: [tokens, stride], the first `tables` of a row in use.
struct CodeRows {
  uint16_t* code;
  float* score;
  size_t stride;  // code_stride(shape)
};

inline size_t code_stride(const PackedShape& shape) { return round_up(shape.tables, kLaneMultiple); }

// Bytes that hash_tokens works in.
size_t hash_scratch_bytes(const LookupffnLayer& layer);

// Hashes tokens first..first+count-1 of x with the kernels for a batch of `batch` tokens (whose choice changes no bit) into
// the same rows of `codes`. scratch: hash_scratch_bytes, aligned to 64. Throws Failure where a kernel fails.
void hash_tokens(const LookupffnLayer& layer, size_t batch, const InputRows& x, size_t first, size_t count,
                 const CodeRows& codes, char* scratch);

// One token, one of shape.shared_calls: several threads can share a token's hash. Specialised kernels only. To be followed
// by hash_overflowed, which hash_tokens has done itself.
void hash_call(const LookupffnLayer& layer, size_t call, const float* x, uint16_t* code, float* score, char* scratch);

// LayerNorm's kernels give scores of NaN where the variance of a row of x passes the range of float: of such rows, this hashes
// those that are finite once more, scaled down.
void hash_overflowed(const LookupffnLayer& layer, const InputRows& x, size_t first, size_t count, const CodeRows& codes,
                     char* scratch);

}  // namespace lookupffn
#endif
