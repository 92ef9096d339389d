// The sizes of layers that are supported.
#ifndef LOOKUPFFN_TENSOR_LIMITS_H
#define LOOKUPFFN_TENSOR_LIMITS_H

#include <cstddef>

namespace lookupffn {

constexpr size_t kMaxWidth = 8192;  // d_in and d_out
constexpr size_t kMaxTables = 4096;
constexpr size_t kMaxBits = 16;

constexpr bool is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

// The least power of two that is at least `value`.
constexpr size_t power_of_two_from(size_t value) {
  size_t power = 1;
  while (power < value) power *= 2;
  return power;
}

}  // namespace lookupffn
#endif
