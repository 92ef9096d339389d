#include "packed_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "float_types.h"

namespace lookupffn {
namespace {

// max|row| = largest scale.
float scale_of(const float* row, size_t size, int largest) {
  float most = 0;
  for (size_t d = 0; d < size; ++d) most = std::max(most, std::fabs(row[d]));
  const float scale = most / float(largest);
  // A row so small that its scale is not a normal number is nothing but zeros to a sum of rows.
  return scale < 1e-37f ? 0 : scale;
}

}  // namespace

float pack_row(const float* row, size_t size, const RowFormat& format, void* packed) {
  if (format.type->row_scales) {
    const float largest = float(largest_number(*format.type)), scale = scale_of(row, size, int(largest));
    uint8_t* const bytes = static_cast<uint8_t*>(packed);
    for (size_t d = 0; d < size; ++d) {
      const int number = scale == 0 ? 0 : int(std::lrint(std::max(-largest, std::min(largest, row[d] / scale))));
      const NumberPlace place = number_place(format, d);
      // Numbers of a byte: the sum of b 16 and a + 8 has no carry.
      const int in_byte = format.byte_numbers() == 1 ? number : place.number == 0 ? number + 8 : number * 16;
      bytes[place.byte] = uint8_t(bytes[place.byte] + in_byte);
    }
    return scale;
  }
  if (format.type->parts == 1) {
    for (size_t d = 0; d < size; ++d) static_cast<uint16_t*>(packed)[d] = f32_to_bf16(row[d]);
  } else {
    std::memcpy(packed, row, size * sizeof(float));
  }
  return 1;
}

}  // namespace lookupffn
