#include "row_overlap.h"

#include <algorithm>
#include <cstdint>

namespace lookupffn {
namespace {

// In bytes, from the row that lies lowest.
struct Bytes {
  intptr_t first, stride, width;

  Bytes(const RowSpan& rows, size_t count)
      : first(reinterpret_cast<intptr_t>(rows.first)),
        stride(rows.stride * intptr_t(sizeof(float))),
        width(intptr_t(rows.width * sizeof(float))) {
    if (stride >= 0) return;
    first += stride * intptr_t(count - 1);
    stride = -stride;
  }
  intptr_t end(size_t count) const { return first + stride * intptr_t(count - 1) + width; }
};

}  // namespace

bool rows_overlap(const RowSpan& a_rows, const RowSpan& b_rows, size_t count) {
  if (count == 0) return false;
  const Bytes a(a_rows, count), b(b_rows, count);
  if (a.end(count) <= b.first || b.end(count) <= a.first) return false;
  for (size_t n = 0; n < count; ++n) {
    // Row i of a is at i * stride: the first that ends behind where the row of b begins must begin where that has ended.
    const intptr_t begin = b.first + b.stride * intptr_t(n) - a.first, end = begin + b.width;
    const intptr_t last_before = begin - a.width;  // a row that begins here, or before, ends in time
    const intptr_t i = last_before < 0 || a.stride == 0 ? 0 : last_before / a.stride + 1;
    if (i >= intptr_t(count)) continue;
    const intptr_t at = i * a.stride;
    if (at > last_before && at < end) return true;
  }
  return false;
}

}  // namespace lookupffn
