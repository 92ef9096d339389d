// Rows of a table in the form that kernels read.
#ifndef LOOKUPFFN_PACKED_ROWS_H
#define LOOKUPFFN_PACKED_ROWS_H

#include <cstddef>

#include "row_format.h"

namespace lookupffn {

// Writes a row of floats to `packed`, format.bytes(size) zeros so far. Returns what its numbers are to be multiplied with: 1
// for types without scales.
float pack_row(const float* row, size_t size, const RowFormat& format, void* packed);

}  // namespace lookupffn
#endif
