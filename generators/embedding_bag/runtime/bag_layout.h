// How a table of many rows is laid out: what those who pack it and the kernels agree on. Header only.
#ifndef LOOKUPFFN_BAG_LAYOUT_H
#define LOOKUPFFN_BAG_LAYOUT_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace lookupffn {

// Kernels index by numbers of 32 bits, and so does a buffer's stride: an id is taken as two digits, the lower one below this.
// Rows of up to kMaxBagWidth elements then have strides, and tables of up to kMaxBagElements have digits, that fit.
constexpr int kRowsTogether = 1 << 12;
constexpr size_t kMaxBagWidth = size_t(1) << 18;
constexpr uint64_t kMaxBagElements = uint64_t(1) << 40;

// Rows are padded to a multiple of so many elements.
constexpr size_t kBagRowMultiple = 16;
constexpr size_t bag_row(size_t d_out) { return (d_out + kBagRowMultiple - 1) / kBagRowMultiple * kBagRowMultiple; }

// The canonical text of a kernel's problem (lookupffn/kernels.h).
inline std::string bag_problem(size_t d_out, const std::string& table_type) {
  return "d_out=" + std::to_string(bag_row(d_out)) + " table_type=" + table_type;
}

}  // namespace lookupffn
#endif
