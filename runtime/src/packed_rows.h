// Rows of a table in the form that kernels read.
#ifndef LOOKUPFFN_PACKED_ROWS_H
#define LOOKUPFFN_PACKED_ROWS_H

#include <cstddef>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

// Writes a row of floats as a type for tables. Returns what its elements are to be multiplied with: 1 for types without scales.
float pack_row(const float* row, size_t size, lookupffn_type type, void* packed);

}  // namespace lookupffn
#endif
