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

}  // namespace lookupffn
#endif
