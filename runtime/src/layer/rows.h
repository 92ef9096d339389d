// Rows of vectors, as the C API passes them.
#ifndef LOOKUPFFN_ROWS_H
#define LOOKUPFFN_ROWS_H

#include <cstddef>

namespace lookupffn {

// Rows of x.
struct InputRows {
  const float* data;
  ptrdiff_t stride;  // floats from a row to the next

  const float* row(size_t n) const { return data + ptrdiff_t(n) * stride; }
};

// Rows that a kernel reads and writes.
struct FloatRows {
  float* data;
  size_t stride;  // floats from a row to the next

  float* row(size_t n) const { return data + n * stride; }
};

// Rows of y, and of x where the residual is added (NULL: not).
struct OutputRows {
  float* data;
  ptrdiff_t stride;  // floats from a row to the next
  const float* residual;
  ptrdiff_t residual_stride;

  float* row(size_t n) const { return data + ptrdiff_t(n) * stride; }
};

}  // namespace lookupffn
#endif
