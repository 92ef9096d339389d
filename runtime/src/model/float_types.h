// bfloat16 and IEEE half precision, as bits in a uint16_t, to float and back.
#ifndef LOOKUPFFN_FLOAT_TYPES_H
#define LOOKUPFFN_FLOAT_TYPES_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor_view.h"

namespace lookupffn {

inline uint32_t float_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Exact, subnormals, infinities and NaN payloads included.
inline float bf16_to_f32(uint16_t value) { return float_from_bits(uint32_t{value} << 16); }

// Exact likewise. Integer arithmetic and one subtraction of normal numbers, so that the thread's
// flush-to-zero and denormals-are-zero modes do not matter, and no branch, so that loops vectorise.
inline float f16_to_f32(uint16_t value) {
  const uint32_t sign = uint32_t{value & 0x8000u} << 16;
  const uint32_t magnitude = uint32_t{value & 0x7fffu} << 13;  // exponent and mantissa where f32 has them
  const uint32_t exponent = magnitude & 0x0f800000u;
  const uint32_t normal = magnitude + (112u << 23);   // rebias 15 to 127
  const uint32_t special = magnitude + (224u << 23);  // 31 becomes 255
  // m * 2^-24 = (1 + m * 2^-10) * 2^-14 - 2^-14
  const uint32_t subnormal = float_bits(float_from_bits(magnitude + (113u << 23)) - float_from_bits(113u << 23));
  const uint32_t finite = exponent == 0 ? subnormal : normal;
  return float_from_bits(sign | (exponent == 0x0f800000u ? special : finite));
}

// To the nearest, ties to even; what is too large becomes infinity; a NaN stays one (made quiet, as much of
// its payload kept as fits).
uint16_t f32_to_bf16(float value);
uint16_t f32_to_f16(float value);

// "F32", "F16", "BF16", "I32", or "other".
const char* element_type_name(ElementType type);

// Bytes of an element; 0 for kOther.
size_t element_bytes(ElementType type);

constexpr size_t kAllFinite = static_cast<size_t>(-1);

// Index of the first element of an F32, F16 or BF16 tensor that is NaN or infinite, or kAllFinite.
// Reads the whole tensor, at memory speed.
// Throws Failure for another type.
size_t first_non_finite(const TensorView& tensor);

}  // namespace lookupffn
#endif
