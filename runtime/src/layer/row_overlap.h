// Whether two matrices of floats, at strides of their own, share memory.
#ifndef LOOKUPFFN_ROW_OVERLAP_H
#define LOOKUPFFN_ROW_OVERLAP_H

#include <cstddef>

namespace lookupffn {

// Rows first + n * stride, n in 0..count-1, of `width` floats each.
struct RowSpan {
  const float* first;
  ptrdiff_t stride;
  size_t width;
};

// Whether a row of a shares a byte with a row of b. Rows may lie between each other's: x and y as columns of one matrix, say.
// Takes no time where one matrix ends before the other begins, else a moment for each row.
bool rows_overlap(const RowSpan& a, const RowSpan& b, size_t count);

}  // namespace lookupffn
#endif
