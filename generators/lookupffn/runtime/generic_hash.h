// The generic kernels that make up a hash, and their calls: by packed layers and by training steps. Rows are padded as
// packed_shape.h says.
#ifndef LOOKUPFFN_GENERIC_HASH_H
#define LOOKUPFFN_GENERIC_HASH_H

#include <cstddef>
#include <cstdint>

#include "lookupffn/kernels.h"
#include "rows.h"

namespace lookupffn {

class BufferArgument;

// The inputs and outputs of a product by panels, in floats: out[n, m, :] = sum_i in[n, m, i] weight[m, i, :].
struct ProductPanels {
  size_t panels, inputs, outputs;
  size_t in_step, out_step;  // from a panel to the next
};

struct GenericHash {
  const lookupffn_kernel* layer_norm_kernel = nullptr;
  const lookupffn_kernel* product_one_kernel = nullptr;  // any number of tokens
  const lookupffn_kernel* product_kernel = nullptr;      // multiples of product_tokens
  size_t product_tokens = 0;
  const lookupffn_kernel* butterfly_kernel = nullptr;
  const lookupffn_kernel* code_and_score_kernel = nullptr;

  // h = LayerNorm(x), of d_in values. Rows of x can be read up to a multiple of kInputMultiple;
  // `input` floats of gamma and beta are read, `width` of a row of h written.
  void layer_norm(const InputRows& x, const float* gamma, const float* beta, size_t input, size_t d_in, float eps,
                  size_t tokens, const FloatRows& h, size_t width) const;
  // weight [panels, words of an input, outputs]. One token, or any number: rows up to a multiple of product_tokens are
  // computed.
  void product(const ProductPanels& panels, const FloatRows& in, BufferArgument& weight, size_t tokens,
               const FloatRows& out) const;
  // Of the Hadamard transform: values `step` apart. in and out may not be the same.
  void butterfly(const FloatRows& in, size_t width, size_t step, size_t tokens, const FloatRows& out) const;
  // z = v + skip h + offset. offset has as many floats as a row of v.
  void code_and_score(const FloatRows& v, const FloatRows& h, size_t width, const float* offset, size_t bits, float skip,
                      size_t tokens, uint16_t* code, float* score, size_t code_stride) const;
};

}  // namespace lookupffn
#endif
