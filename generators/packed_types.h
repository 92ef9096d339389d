// The types that packed weights are stored in, and how a kernel reads them as float.
#ifndef LOOKUPFFN_PACKED_TYPES_H
#define LOOKUPFFN_PACKED_TYPES_H

#include <map>
#include <string>

#include "Halide.h"

namespace lookupffn {

enum class PackedType { kF32, kBF16, kI8 };

inline const std::map<std::string, PackedType>& packed_type_names() {
  static const std::map<std::string, PackedType> names = {
      {"f32", PackedType::kF32}, {"bf16", PackedType::kBF16}, {"i8", PackedType::kI8}};
  return names;
}

// bf16 travels as its 16 bits: Halide 14 emulates its own bf16 type more slowly than a shift.
inline Halide::Type packed_type_of(PackedType type) {
  switch (type) {
    case PackedType::kBF16: return Halide::UInt(16);
    case PackedType::kI8: return Halide::Int(8);
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

// Weights of a projection. bf16 weights of an even input and the next one share a word, the even one's in the low
// half: taking either out is one instruction for a whole vector of outputs.
inline Halide::Type packed_weight_type_of(PackedType type) {
  return type == PackedType::kBF16 ? Halide::UInt(32) : packed_type_of(type);
}

// W[panel, o, i]; weight: f32 [panel, in, out] or words [panel, in / 2, out].
template <class Weight>
Halide::Expr unpacked_weight(const Weight& weight, const Halide::Expr& o, const Halide::Expr& i,
                             const Halide::Expr& panel, PackedType type) {
  if (type != PackedType::kBF16) return weight(o, i, panel);
  const Halide::Expr word = weight(o, i / 2, panel);
  return Halide::reinterpret<float>(
      Halide::select(i % 2 == 0, word << 16, word & Halide::cast<uint32_t>(Halide::Expr(0xffff0000))));
}

// How many inputs a sum over `inputs` goes through: an odd one's partner has zero weights.
template <class Size>
Size packed_inputs(const Size& inputs, PackedType type) {
  return type == PackedType::kBF16 ? (inputs + 1) / 2 * 2 : inputs;
}

}  // namespace lookupffn
#endif
