#include "lookupffn_tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "weight_types.h"

namespace lookupffn::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

double zero_margin(const double* z, size_t size, lookupffn_type projection_type) {
  if (projection_type != LOOKUPFFN_BF16) return kZeroMargin;
  double squares = 0;
  for (size_t i = 0; i < size; ++i) squares += z[i] * z[i];
  return kZeroMargin * std::max(1.0, std::sqrt(squares / static_cast<double>(size)));
}

bool differs_only_near_zero(const double* z, size_t bits, int32_t difference, double margin) {
  if (difference < 0 || (static_cast<int64_t>(difference) >> bits) != 0) return false;
  for (size_t j = 0; j < bits; ++j) {
    if (((difference >> (bits - 1 - j)) & 1) != 0 && !(std::abs(z[j]) <= margin)) return false;
  }
  return true;
}

bool code_allowed(const double* z, size_t bits, int32_t code, double margin) {
  int32_t signs = 0;
  for (size_t j = 0; j < bits; ++j) signs |= (z[j] > 0 ? 1 : 0) << (bits - 1 - j);
  return code >= 0 && differs_only_near_zero(z, bits, code ^ signs, margin);
}

double table_type_allowance(const Layer& layer, const int32_t* code, const double* score, lookupffn_type table_type) {
  const double step = weight_type(table_type).rounding;
  if (step == 0) return 0;
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
  if (y.size() != expected.size() || y.empty()) return kInfinity;
  double worst = 0;
  for (size_t n = 0; n < expected.size() / d_out; ++n) {
    const double tolerance = row_tolerance(&expected[n * d_out], d_out) +
                             table_type_allowance(layer, &code[n * tables], &score[n * tables], table_type);
    for (size_t i = n * d_out; i < (n + 1) * d_out; ++i) {
      worst = worse(worst, error_ratio(y[i], expected[i], tolerance));
    }
  }
  return worst;
}

double worst_score(const Layer& layer, const std::vector<double>& expected, const std::vector<float>& score) {
  const size_t tables = layer.shape.tables;
  if (score.size() != expected.size() || score.empty()) return kInfinity;
  double worst = 0;
  for (size_t n = 0; n < expected.size() / tables; ++n) {
    const double tolerance = row_tolerance(&expected[n * tables], tables);
    for (size_t i = n * tables; i < (n + 1) * tables; ++i) {
      worst = worse(worst, error_ratio(score[i], expected[i], tolerance));
    }
  }
  return worst;
}

size_t wrong_codes(const Layer& layer, const std::vector<double>& z, const std::vector<int32_t>& code,
                   lookupffn_type projection_type) {
  const size_t bits = layer.shape.bits, tables = layer.shape.tables;
  if (code.size() * bits != z.size() || code.empty()) return std::max<size_t>(1, z.size() / bits);
  size_t wrong = 0;
  for (size_t nt = 0; nt < code.size(); ++nt) {
    const double margin = zero_margin(&z[nt / tables * tables * bits], tables * bits, projection_type);
    wrong += code_allowed(&z[nt * bits], bits, code[nt], margin) ? 0 : 1;
  }
  return wrong;
}

}  // namespace lookupffn::reference
