#include "lookupffn_verdict.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookupffn_tolerance.h"

namespace lookupffn::reference {
namespace {

template <class Value>
std::vector<Value> row_of(const std::vector<Value>& rows, size_t width, size_t n) {
  return {rows.begin() + ptrdiff_t(n * width), rows.begin() + ptrdiff_t((n + 1) * width)};
}

template <class Value>
bool all_finite(const std::vector<Value>& values) {
  return std::all_of(values.begin(), values.end(), [](Value value) { return std::isfinite(value); });
}

// The largest difference; infinite where one is no number.
double largest_error(const std::vector<double>& expected, const std::vector<float>& given) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) largest = worse(largest, std::abs(given[i] - expected[i]));
  return largest;
}

}  // namespace

Verdict judge(const Layer& layer, const std::vector<float>& x, const Result& expected, const Results& given,
              lookupffn_type table_type, lookupffn_type projection_type) {
  const lookupffn_shape& shape = layer.shape;
  const size_t tables = shape.tables, bits = shape.bits, d_out = shape.d_out;
  const bool codes_given = !given.code.empty(), y_given = !given.y.empty();
  Verdict verdict;
  for (size_t n = 0; n < x.size() / shape.d_in; ++n) {
    const std::vector<int32_t> code = codes_given ? row_of(given.code, tables, n) : row_of(expected.code, tables, n);
    const std::vector<float> score = codes_given ? row_of(given.score, tables, n) : std::vector<float>();
    const std::vector<float> y = y_given ? row_of(given.y, d_out, n) : std::vector<float>();
    const bool in_range =
        std::all_of(code.begin(), code.end(), [&](int32_t value) { return value >= 0 && size_t(value) < shape.rows; });
    if (!all_finite(row_of(x, shape.d_in, n))) {
      ++verdict.not_finite_tokens;
      verdict.finite_y += size_t(std::count_if(y.begin(), y.end(), [](float value) { return std::isfinite(value); }));
      if (!in_range) ++verdict.wrong_codes;
      continue;
    }
    ++verdict.tokens;
    const std::vector<int32_t> right_code = row_of(expected.code, tables, n);
    const std::vector<double> right_score = row_of(expected.score, tables, n);
    const std::vector<double> z = expected.z.empty() ? std::vector<double>() : row_of(expected.z, tables * bits, n);
    const double margin = z.empty() ? 0 : zero_margin(z.data(), z.size(), projection_type);
    size_t undecided = 0;
    for (size_t t = 0; t < tables; ++t) {
      const double* const z_of_code = z.empty() ? nullptr : &z[t * bits];
      undecided +=
          z_of_code && std::any_of(z_of_code, z_of_code + bits, [&](double value) { return std::abs(value) <= margin; });
      const int32_t difference = code[t] ^ right_code[t];
      verdict.wrong_codes += difference != 0 && !(z_of_code && differs_only_near_zero(z_of_code, bits, difference, margin));
    }
    if (codes_given) {
      verdict.codes += tables;
      verdict.undecided_codes += undecided;
      verdict.score_error = worse(verdict.score_error, largest_error(right_score, score));
      verdict.score_of_tolerance = worse(verdict.score_of_tolerance, worst_score(layer, right_score, score));
    }
    if (!y_given || (!codes_given && undecided > 0)) continue;  // whose rows nobody knows
    verdict.values += d_out;
    if (!in_range) continue;  // a wrong code already
    const std::vector<double> right_y = code == right_code ? row_of(expected.y, d_out, n) : gather(layer, code, right_score);
    verdict.y_error = worse(verdict.y_error, largest_error(right_y, y));
    verdict.y_of_tolerance = worse(verdict.y_of_tolerance, worst_y(layer, code, right_score, right_y, y, table_type));
  }
  return verdict;
}

}  // namespace lookupffn::reference
