// The types that packed weights are stored in, and how a kernel reads them as float.
#ifndef LOOKUPFFN_PACKED_TYPES_H
#define LOOKUPFFN_PACKED_TYPES_H

#include <map>
#include <string>

#include "Halide.h"

namespace lookupffn {

// The names are those of registry/weight_types.def and storages.def. kI8Dot4: int8 rows as byte_dots.h takes them, in words of
// four columns' bytes. kBF16Tiles, kBF16x3Tiles: packed as kBF16 and kBF16x3 are, and multiplied by tile_products.h.
enum class PackedType { kF32, kBF16, kBF16x3, kI8, kI8Dot4, kBF16Tiles, kBF16x3Tiles };

inline const std::map<std::string, PackedType>& packed_type_names() {
  static const std::map<std::string, PackedType> names = {
      {"f32", PackedType::kF32}, {"bf16", PackedType::kBF16}, {"bf16x3", PackedType::kBF16x3}, {"i8", PackedType::kI8},
      {"i8_dot4", PackedType::kI8Dot4}, {"bf16_tiles", PackedType::kBF16Tiles}, {"bf16x3_tiles", PackedType::kBF16x3Tiles}};
  return names;
}

// bf16 travels as its 16 bits: Halide 14 emulates its own bf16 type more slowly than a shift.
inline Halide::Type packed_type_of(PackedType type) {
  switch (type) {
    case PackedType::kBF16: return Halide::UInt(16);
    case PackedType::kI8: return Halide::Int(8);
    case PackedType::kI8Dot4: return Halide::UInt(32);
    default: return Halide::Float(32);
  }
}

// The float that a stored value stands for; for i8 in units of its row's scale.
inline Halide::Expr unpacked(const Halide::Expr& stored, PackedType type) {
  switch (type) {
    case PackedType::kBF16: return Halide::reinterpret<float>(Halide::cast<uint32_t>(stored) << 16);
    case PackedType::kI8: return Halide::cast<float>(stored);
    default: return stored;
  }
}

// Weights of a projection. bf16x3 weights are floats as sums of three bf16: the same values, as AMX can multiply them.
//
// A word holds the bf16 weights of two inputs, so that taking either out is one instruction for a whole vector of
// outputs. Of every 32 inputs, 32 g + j and 32 g + 16 + j share the word j of 16, the first in its low half; t inputs left
// over at the end are paired at a distance of (t + 1) / 2. Words of a group's first parts come before those of its second
// parts. (runtime/src/packed_shape.h has the same for who packs.)
inline int weight_parts(PackedType type) {
  switch (type) {
    case PackedType::kBF16:
    case PackedType::kBF16Tiles: return 1;
    case PackedType::kBF16x3:
    case PackedType::kBF16x3Tiles: return 3;
    default: return 0;
  }
}

// Whether products with such weights go to tiles.
inline bool on_tiles(PackedType type) { return type == PackedType::kBF16Tiles || type == PackedType::kBF16x3Tiles; }

inline Halide::Type packed_weight_type_of(PackedType type) {
  return weight_parts(type) > 0 ? Halide::UInt(32) : packed_type_of(type);
}

// How many inputs a sum over `inputs` goes through: an odd one's partner has zero weights.
template <class Size>
Size packed_inputs(const Size& inputs, PackedType type) {
  return weight_parts(type) > 0 ? (inputs + 1) / 2 * 2 : inputs;
}

// The k-th input of that sum, which goes from word to word.
inline Halide::Expr packed_input(const Halide::Expr& k, const Halide::Expr& inputs, PackedType type) {
  if (weight_parts(type) == 0) return k;
  const Halide::Expr word = k / 2;
  const Halide::Expr distance = Halide::select(word / 16 < inputs / 32, 16, (inputs % 32 + 1) / 2);
  return word / 16 * 32 + word % 16 + k % 2 * distance;
}

// W[panel, o, packed_input(k)] of a panel with so many inputs; weight: f32 [panel, in, out] or words
// [panel, parts * in / 2, out].
template <class Weight>
Halide::Expr unpacked_weight(const Weight& weight, const Halide::Expr& o, const Halide::Expr& k, const Halide::Expr& panel,
                             const Halide::Expr& inputs, PackedType type) {
  using namespace Halide;
  if (weight_parts(type) == 0) return weight(o, k, panel);
  const Expr group = k / 32, words = select(group < inputs / 32, 16, (inputs % 32 + 1) / 2);
  Expr sum;
  for (int part = 0; part < weight_parts(type); ++part) {
    const Expr word = weight(o, group * (16 * weight_parts(type)) + part * words + k / 2 % 16, panel);
    const Expr bf16 = reinterpret<float>(select(k % 2 == 0, word << 16, word & cast<uint32_t>(Expr(0xffff0000))));
    sum = sum.defined() ? strict_float(sum + bf16) : bf16;
  }
  return sum;
}

}  // namespace lookupffn
#endif
