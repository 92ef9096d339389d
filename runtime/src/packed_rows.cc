#include "packed_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "float_types.h"

namespace lookupffn {
namespace {

// A row in int8 with its scale: max|row| = 127 scale.
float quantise_row(const float* row, size_t size, int8_t* packed) {
  float largest = 0;
  for (size_t d = 0; d < size; ++d) largest = std::max(largest, std::fabs(row[d]));
  const float scale = largest / 127;
  // A row so small that its scale is not a normal number is nothing but zeros to a sum of rows.
  if (scale < 1e-37f) {
    std::fill(packed, packed + size, int8_t(0));
    return 0;
  }
  for (size_t d = 0; d < size; ++d) {
    packed[d] = int8_t(std::lrint(std::max(-127.0f, std::min(127.0f, row[d] / scale))));
  }
  return scale;
}

}  // namespace

float pack_row(const float* row, size_t size, lookupffn_type type, void* packed) {
  switch (type) {
    case LOOKUPFFN_BF16:
      for (size_t d = 0; d < size; ++d) static_cast<uint16_t*>(packed)[d] = f32_to_bf16(row[d]);
      return 1;
    case LOOKUPFFN_I8: return quantise_row(row, size, static_cast<int8_t*>(packed));
    default: std::copy(row, row + size, static_cast<float*>(packed)); return 1;
  }
}

}  // namespace lookupffn
