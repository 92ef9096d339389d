// Floats as sums of three bf16, for products of bf16 that lose nothing of them.
#ifndef LOOKUPFFN_BF16_PARTS_H
#define LOOKUPFFN_BF16_PARTS_H

#include "Halide.h"

namespace lookupffn {

// value = part(value, 0) + part(value, 1) + part(value, 2), each with 8 of its 24 significant bits: cut off, not
// rounded, so that what is left is exact. As 32 bits, of which the upper 16 are the bf16.
constexpr int kBf16Parts = 3;

inline Halide::Expr bf16_part(const Halide::Expr& value, int part) {
  using namespace Halide;
  Expr rest = value;
  for (int k = 0; k < part; ++k) {
    rest = strict_float(rest - reinterpret<float>(reinterpret<uint32_t>(rest) & cast<uint32_t>(Expr(0xffff0000))));
  }
  return reinterpret<uint32_t>(rest);
}

// The same part of two values in a word, the first one's in the low half.
inline Halide::Expr bf16_part_word(const Halide::Expr& first, const Halide::Expr& second, int part) {
  using namespace Halide;
  return bf16_part(first, part) >> 16 | (bf16_part(second, part) & cast<uint32_t>(Expr(0xffff0000)));
}

}  // namespace lookupffn
#endif
