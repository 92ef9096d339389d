// How far a kernel's results may lie from the right ones, for all families.
#ifndef LOOKUPFFN_REFERENCE_TOLERANCE_H
#define LOOKUPFFN_REFERENCE_TOLERANCE_H

#include <cstddef>

namespace lookupffn::reference {

// The larger of two errors; a NaN is the largest there is. (std::max may drop it.)
double worse(double a, double b);

// |value - expected| / tolerance: 1 or less is right. What is not finite, on either side, is infinitely wrong.
double error_ratio(double value, double expected, double tolerance);

// For one row of score [lookups] or of y [d_out] with f32 tables: 1e-4 of the row's root mean square + 1e-6.
double row_tolerance(const double* row, size_t size);

}  // namespace lookupffn::reference
#endif
