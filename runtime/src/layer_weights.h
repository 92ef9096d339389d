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

class OpenFile;

// A tensor in memory or in an open file: nothing is owned.
struct TensorView {
  std::string name;
  ElementType type = ElementType::kOther;
  std::vector<size_t> shape;  // row-major, last index contiguous
  const uint8_t* data = nullptr;   // in memory, at any alignment; NULL where the bytes are in
  const OpenFile* file = nullptr;  // this file,
  uint64_t at = 0;                 // from this byte on
  size_t bytes = 0;

  size_t elements() const;
};

// Copies `count` of the tensor's bytes from byte `first` on; the caller keeps them within the tensor. This and what
// follows throw Failure (LOOKUPFFN_IO_ERROR) where a file cannot be read or has become shorter.
void read_bytes(const TensorView& tensor, size_t first, size_t count, void* out);

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
