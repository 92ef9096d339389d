// The types that packed weights are stored in, and how a kernel reads them as float.
#ifndef LOOKUPFFN_PACKED_TYPES_H
#define LOOKUPFFN_PACKED_TYPES_H

#include <map>
#include <string>

#include "Halide.h"
#include "row_format.h"

namespace lookupffn {

// The types of registry/weight_types.def and the forms of storages.def: i8_dot4 and its like are words of tables' rows as
// byte_dots.h takes them; bf16_tiles and bf16x3_tiles are packed as bf16 and bf16x3 are, and multiplied by tile_products.h.
enum class PackedType {
#define LOOKUPFFN_WEIGHT_TYPE(c_name, name, ...) name,
#include "weight_types.def"
#undef LOOKUPFFN_WEIGHT_TYPE
#define LOOKUPFFN_STORAGE(name, ...) name,
#include "storages.def"
#undef LOOKUPFFN_STORAGE
};

inline const std::map<std::string, PackedType>& packed_type_names() {
  static const std::map<std::string, PackedType> names = {
#define LOOKUPFFN_WEIGHT_TYPE(c_name, name, ...) {#name, PackedType::name},
#include "weight_types.def"
#undef LOOKUPFFN_WEIGHT_TYPE
#define LOOKUPFFN_STORAGE(name, ...) {#name, PackedType::name},
#include "storages.def"
#undef LOOKUPFFN_STORAGE
  };
  return names;
}

inline std::string packed_type_name(PackedType type) {
  for (const auto& [name, named] : packed_type_names()) {
    if (named == type) return name;
  }
  return "";
}

// How rows of tables of the type are stored.
inline RowFormat row_format(PackedType type) { return row_format(packed_type_name(type)); }

// Whether each row has a scale.
inline bool has_scales(PackedType type) { return row_format(type).type->row_scales; }

// What is read of a table. bf16 travels as its 16 bits: Halide 14 emulates its own bf16 type more slowly than a shift.
inline Halide::Type row_word_type(PackedType type) {
  const RowFormat format = row_format(type);
  switch (format.word) {
    case kFloat:
      return Halide::Float(format.word_bits);
    case kSigned:
      return Halide::Int(format.word_bits);
    default:
      return Halide::UInt(format.word_bits);
  }
}

// The first of a byte's two numbers of 4 bits, and the second: registry/row_format.h.
inline Halide::Expr first_number(const Halide::Expr& byte) { return (byte & 15) - 8; }
inline Halide::Expr second_number(const Halide::Expr& byte) { return byte >> 4; }

// What a row stores in column d as a float; for types with scales, in units of its row's. row: a function from a word's index
// to the word.
template <class Row>
Halide::Expr unpacked(const Row& row, const Halide::Expr& d, PackedType type) {
  using namespace Halide;
  const RowFormat format = row_format(type);
  if (format.word_columns() == 2) {
    const int bytes = int(format.group) / 2;
    const Expr byte = cast<int32_t>(row(d / int(format.group) * bytes + d % bytes));
    return cast<float>(select(d / bytes % 2 == 0, first_number(byte), second_number(byte)));
  }
  if (has_scales(type)) return cast<float>(row(d));
  if (format.type->parts == 1) return reinterpret<float>(cast<uint32_t>(row(d)) << 16);
  return row(d);
}

// Weights of a projection. bf16x3 weights are floats as sums of three bf16: the same values, as AMX can multiply them.
//
// A word holds the bf16 weights of two inputs, so that taking either out is one instruction for a whole vector of
// outputs. Of every 32 inputs, 32 g + j and 32 g + 16 + j share the word j of 16, the first in its low half; t inputs left
// over at the end are paired at a distance of (t + 1) / 2. Words of a group's first parts come before those of its second
// parts. (runtime/src/packed_shape.h has the same for who packs.)
inline int weight_parts(PackedType type) { return weight_type_of(packed_type_name(type)).parts; }

// Whether products with such weights go to tiles.
inline bool on_tiles(PackedType type) {
  const Storage* const storage = find_storage(packed_type_name(type));
  return storage && storage->needs == kTiles;
}

inline Halide::Type packed_weight_type_of(PackedType type) {
  return weight_parts(type) > 0 ? Halide::UInt(32) : Halide::Float(32);
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
