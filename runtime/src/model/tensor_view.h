// Tensors as they stand in a model file.
#ifndef LOOKUPFFN_TENSOR_VIEW_H
#define LOOKUPFFN_TENSOR_VIEW_H

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
  std::vector<size_t> shape;       // row-major, last index contiguous
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

}  // namespace lookupffn
#endif
