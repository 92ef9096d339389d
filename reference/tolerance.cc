#include "reference/tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lookupffn::reference {
namespace {

double error_ratio(double value, double expected, double tolerance) {
  if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
  return std::abs(value - expected) / tolerance;
}

}  // namespace

bool code_allowed(const double* z, size_t bits, int32_t code) {
  if (code < 0 || (static_cast<int64_t>(code) >> bits) != 0) return false;
  for (size_t j = 0; j < bits; ++j) {
    const bool set = ((code >> (bits - 1 - j)) & 1) != 0;
    if (set != (z[j] > 0) && !(std::abs(z[j]) <= kZeroMargin)) return false;
  }
  return true;
}

double row_tolerance(const double* row, size_t size) {
  double squares = 0;
  for (size_t i = 0; i < size; ++i) squares += row[i] * row[i];
  return 1e-4 * std::sqrt(squares / static_cast<double>(size)) + 1e-6;
}

double table_type_allowance(const Layer& layer, const int32_t* code, const double* score,
                            lookupffn_type table_type) {
  if (table_type == LOOKUPFFN_F32) return 0;
  const double step = table_type == LOOKUPFFN_BF16 ? 0x1p-8 : 0.5 / 127;
  const size_t d_out = layer.shape.d_out;
  double allowance = 0;
  for (size_t t = 0; t < layer.shape.tables; ++t) {
    const float* row = &layer.table[(t * layer.shape.rows + static_cast<size_t>(code[t])) * d_out];
    double largest = 0;
    for (size_t o = 0; o < d_out; ++o) largest = std::max(largest, std::abs(static_cast<double>(row[o])));
    allowance += score[t] * step * largest;
  }
  return allowance;
}

double worst_y(const Layer& layer, const std::vector<int32_t>& code, const std::vector<double>& score,
               const std::vector<double>& expected, const std::vector<float>& y, lookupffn_type table_type) {
  const size_t d_out = layer.shape.d_out, tables = layer.shape.tables;
  if (y.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (size_t n = 0; n < expected.size() / d_out; ++n) {
    const double tolerance = row_tolerance(&expected[n * d_out], d_out) +
                             table_type_allowance(layer, &code[n * tables], &score[n * tables], table_type);
    for (size_t i = n * d_out; i < (n + 1) * d_out; ++i) {
      worst = std::max(worst, error_ratio(y[i], expected[i], tolerance));
    }
  }
  return worst;
}

double worst_score(const Layer& layer, const std::vector<double>& expected, const std::vector<float>& score) {
  const size_t tables = layer.shape.tables;
  if (score.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (size_t n = 0; n < expected.size() / tables; ++n) {
    const double tolerance = row_tolerance(&expected[n * tables], tables);
    for (size_t i = n * tables; i < (n + 1) * tables; ++i) {
      worst = std::max(worst, error_ratio(score[i], expected[i], tolerance));
    }
  }
  return worst;
}

size_t wrong_codes(const Layer& layer, const std::vector<double>& z, const std::vector<int32_t>& code) {
  const size_t bits = layer.shape.bits;
  if (code.size() * bits != z.size()) return std::max<size_t>(1, z.size() / bits);
  size_t wrong = 0;
  for (size_t nt = 0; nt < code.size(); ++nt) wrong += code_allowed(&z[nt * bits], bits, code[nt]) ? 0 : 1;
  return wrong;
}

}  // namespace lookupffn::reference
