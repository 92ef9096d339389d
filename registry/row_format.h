// How rows of a table are stored: who packs them, kernels and who reckons their bytes read it here. Header only.
#ifndef LOOKUPFFN_REGISTRY_ROW_FORMAT_H
#define LOOKUPFFN_REGISTRY_ROW_FORMAT_H

#include <cstddef>
#include <string>

#include "weight_types.h"

namespace lookupffn {

// Bytes of whole numbers of 8 bits are the numbers. A byte of two numbers of 4 bits is 16 b + a + 8: so its low four bits are
// a + 8, and as a signed number divided by 16 and rounded down it is b. a is a column's number, b that of the column half a
// group behind it: of a group of 32, byte j holds columns j and 16 + j, and a vector of bytes becomes two of columns without
// shuffles.
struct RowFormat {
  const WeightType* type;
  WordKind word;
  int word_bits;
  size_t group;    // columns that are stored together: a row takes up whole groups
  bool byte_dots;  // bytes of every 64 are in the order of dot_byte()

  // Columns that a word, and a byte of whole numbers, holds.
  size_t word_columns() const { return size_t(word_bits / type->bits); }
  size_t byte_numbers() const { return size_t(8 / type->bits); }

  // Of a row of so many columns.
  size_t words(size_t columns) const { return (columns + group - 1) / group * (group / word_columns()); }
  size_t bytes(size_t columns) const { return words(columns) * size_t(word_bits / 8); }
};

// Of the name of a type, or of a form in which tables are stored. Throws std::runtime_error.
inline RowFormat row_format(const std::string& stored) {
  const WeightType& type = weight_type_of(stored);
  const Storage* storage = find_storage(stored);
  if (!storage) return {&type, type.word, type.word_bits, type.group, false};
  if (storage->role != WeightRole::kTables) throw std::runtime_error("tables are not stored as '" + stored + "'");
  return {&type, kUnsigned, 32, storage->multiple, storage->needs == kByteDots};
}

// Where shuffles within 16 bytes make words of four tables' bytes, column by column (generators/lowering/byte_dots.h): of every
// 64 bytes, 16 q + 4 l + r is stored as byte 16 l + 4 q + r.
constexpr size_t kDotBytes = 64;
constexpr size_t dot_byte(size_t byte) {
  const size_t within = byte % kDotBytes;
  return byte - within + within / 4 % 4 * 16 + within / 16 * 4 + within % 4;
}

// The byte of a row of whole numbers that holds a column, and which of the byte's numbers it is.
struct NumberPlace {
  size_t byte, number;
};

inline NumberPlace number_place(const RowFormat& format, size_t column) {
  const size_t bytes = format.group / format.byte_numbers(), within = column % format.group % bytes;
  return {column / format.group * bytes + (format.byte_dots ? dot_byte(within) : within), column % format.group / bytes};
}

// The largest whole number of a type with scales.
inline int largest_number(const WeightType& type) { return (1 << (type.bits - 1)) - 1; }

}  // namespace lookupffn
#endif
