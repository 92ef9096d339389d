#include "reference/tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lookupffn::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

double worse(double a, double b) { return std::isnan(a) || std::isnan(b) ? kInfinity : std::max(a, b); }

double error_ratio(double value, double expected, double tolerance) {
  if (!std::isfinite(value) || !std::isfinite(expected) || !std::isfinite(tolerance)) return kInfinity;
  return std::abs(value - expected) / tolerance;
}

double row_tolerance(const double* row, size_t size) {
  double squares = 0;
  for (size_t i = 0; i < size; ++i) squares += row[i] * row[i];
  return 1e-4 * std::sqrt(squares / static_cast<double>(size)) + 1e-6;
}

}  // namespace lookupffn::reference
