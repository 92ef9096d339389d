// One LookupFFN layer as it stands in a model file: its shape and views of its six tensors.
#ifndef LOOKUPFFN_LAYER_WEIGHTS_H
#define LOOKUPFFN_LAYER_WEIGHTS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

enum class ElementType { kF32, kF16, kBF16, kI32, kOther };

// A tensor inside a mapped file: nothing is owned. `data` need not be aligned.
struct TensorView {
  std::string name;
  ElementType type = ElementType::kOther;
  std::vector<size_t> shape;  // row-major, last index contiguous
  const uint8_t* data = nullptr;
  size_t bytes = 0;

  size_t elements() const;
};

// Converts `count` elements from index `first` on (F32, F16 or BF16, exactly) to float.
// Throws Failure for another type; the caller keeps first + count within the tensor.
void read_floats(const TensorView& tensor, size_t first, size_t count, float* out);

struct LayerWeights {
  lookupffn_shape shape;         // shape.prefix points into the model
  TensorView layer_norm_weight;  // gamma [d_in]
  TensorView layer_norm_bias;    // beta  [d_in]
  TensorView projection_weight;  // dense: [tables*bits, d_in]; BH4: [repeats, 4, p/block, block, block]
  TensorView projection_bias;    // [tables*bits]
  TensorView tables;             // [tables, rows, d_out]
  TensorView bias;               // [d_out]
};

// The layer with this prefix; "" or NULL means the model's only layer. Throws Failure (LOOKUPFFN_NOT_FOUND,
// with the prefixes that there are) where there is none or it is not clear which. The views are valid
// while the model is open. Defined in model.cc.
const LayerWeights& find_layer(const lookupffn_model* model, const char* prefix);

}  // namespace lookupffn
#endif
