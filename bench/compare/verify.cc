#include "verify.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <stdexcept>

#include "naive_layer.h"
#include "weight_types.h"

namespace lookupffn::bench {
namespace {

double rms(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum / values.size());
}

// The tokens compared: the first, the last and two between.
std::set<size_t> tokens_to_check(size_t tokens) {
  if (tokens == 0) throw std::runtime_error("there are no tokens to compare");
  return {0, tokens / 3, tokens / 2, tokens - 1};
}

// A bit of its code may flip by rounding.
bool undecided(const NaiveHash& hash) {
  return std::any_of(hash.z.begin(), hash.z.end(), [](double z) { return std::fabs(z) <= 2e-5; });
}

void compare(const std::string& what, size_t token, const float* got, const std::vector<double>& expected, double tolerance) {
  // An infinite tolerance would allow anything.
  if (!std::isfinite(tolerance))
    throw std::runtime_error(what + " of token " + std::to_string(token) + ": what is expected is not finite");
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::fabs(got[i] - expected[i]) <= tolerance) continue;  // false for NaN
    std::ostringstream message;
    message << what << " of token " << token << " is wrong: [" << i << "] is " << got[i] << ", not " << expected[i]
            << " (tolerance " << tolerance << ")";
    throw std::runtime_error(message.str());
  }
}

// What the table type may add to the error of y: half a step of its numbers.
double table_error(const SyntheticLayer& layer, const int32_t* code, const double* score, lookupffn_type type) {
  if (weight_type(type).rounding == 0) return 0;
  const Workload& workload = layer.workload;
  double error = 0;
  for (size_t t = 0; t < workload.tables; ++t) {
    const float* row = &layer.table[(t * workload.rows() + code[t]) * workload.d];
    float largest = 0;
    for (size_t i = 0; i < workload.d; ++i) largest = std::max(largest, std::fabs(row[i]));
    error += score[t] * largest * weight_type(type).rounding;
  }
  return error;
}

void check_y(const std::string& what, const Setting& setting, Types types, size_t token, const float* y, const int32_t* code,
             const std::vector<double>& score) {
  const std::vector<double> expected = naive_gather(setting.layer, code, score.data());
  compare(what, token, y, expected, 1e-4 * rms(expected) + 1e-6 + table_error(setting.layer, code, score.data(), types.table));
}

void check_hash(const Setting& setting, Types types, size_t token, const NaiveHash& expected, const int32_t* code,
                const float* score) {
  const Workload& workload = setting.layer.workload;
  const bool f32 = types.projection == LOOKUPFFN_F32;
  const double near_zero = f32 ? 2e-5 : 0.05 * rms(expected.z);
  for (size_t t = 0; t < workload.tables; ++t) {
    for (size_t j = 0; j < workload.bits; ++j) {
      const int32_t bit = 1 << (workload.bits - 1 - j);
      if (((code[t] ^ expected.code[t]) & bit) == 0) continue;
      const double z = expected.z[t * workload.bits + j];
      if (std::fabs(z) <= near_zero) continue;
      std::ostringstream message;
      message << "hash of token " << token << " is wrong: bit " << j << " of table " << t << "'s code, where z is " << z;
      throw std::runtime_error(message.str());
    }
  }
  const double tolerance = f32 ? 1e-4 * rms(expected.score) + 1e-6 : 0.1 * rms(expected.score);
  compare("score", token, score, expected.score, tolerance);
}

}  // namespace

void verify_contender(const ContenderKind& kind, Contender& contender, const Setting& setting, Types types, size_t tokens) {
  const size_t d = setting.layer.workload.d, tables = setting.layer.workload.tables;
  const std::set<size_t> checked = tokens_to_check(tokens);
  const auto has = [&kind](Part part) { return std::find(kind.parts.begin(), kind.parts.end(), part) != kind.parts.end(); };
  if (has(Part::kHash)) {
    contender.run(Part::kHash, 0, tokens);
    for (size_t n : checked) {
      check_hash(setting, types, n, naive_hash(setting.layer, &setting.ring.x[n * d]), contender.code() + n * tables,
                 contender.score() + n * tables);
    }
  }
  if (has(Part::kAll)) {
    contender.run(Part::kAll, 0, tokens);
    const std::vector<float> y = contender.y(tokens);
    size_t compared = 0;
    for (size_t n : checked) {
      const float* x = &setting.ring.x[n * d];
      ++compared;
      if (kind.computes == Computes::kDenseFfn) {
        const std::vector<double> expected = naive_dense_ffn(setting.ffn, x);
        // bf16: 8 bits of mantissa in x, in the weights, between the products and in y.
        const double tolerance = kind.weight_type == "bf16" ? 4e-2 : 1e-4;
        compare("y", n, &y[n * d], expected, tolerance * rms(expected) + 1e-6);
        continue;
      }
      NaiveHash hash = naive_hash(setting.layer, x);
      if (has(Part::kHash)) {  // already checked above; here its own codes, some of which may have flipped
        hash.code.assign(contender.code() + n * tables, contender.code() + (n + 1) * tables);
        hash.score.assign(contender.score() + n * tables, contender.score() + (n + 1) * tables);
      } else if (undecided(hash)) {
        --compared;
        continue;
      }
      check_y("y", setting, types, n, &y[n * d], hash.code.data(), hash.score);
    }
    if (compared == 0) throw std::runtime_error("no token whose codes rounding cannot flip: nothing was compared");
  }
  if (has(Part::kGather)) {
    contender.run(Part::kGather, 0, tokens);
    const std::vector<float> y = contender.y(tokens);
    for (size_t n : checked) {
      const float* score = &setting.ring.score[n * tables];
      check_y("gathered y", setting, types, n, &y[n * d], &setting.ring.code[n * tables], {score, score + tables});
    }
  }
}

}  // namespace lookupffn::bench
