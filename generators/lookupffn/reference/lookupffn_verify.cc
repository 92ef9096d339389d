// `lookupffn verify` of a LookupFFN layer: x, code, score, y and, if the file likes, z, as the training code computes them.
#include "lookupffn_verify.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "bf16_projection.h"
#include "lookupffn_layer.h"
#include "lookupffn_tolerance.h"
#include "lookupffn_verdict.h"
#include "plain_layer.h"
#include "reference/token_rows.h"

namespace lookupffn::reference {
namespace {

// What the io file holds: inputs, and what the training code made of them.
struct Expected {
  size_t tokens = 0;
  std::vector<float> x;
  Result result;  // z may be empty
  Results given;  // the same, as results to be judged themselves
};

std::string at(size_t n) { return " in row " + std::to_string(n); }

template <class Value>
bool finite_row(const std::vector<Value>& rows, size_t width, size_t n) {
  return std::all_of(rows.begin() + ptrdiff_t(n * width), rows.begin() + ptrdiff_t((n + 1) * width),
                     [](Value value) { return std::isfinite(value); });
}

// x: NULL where a tensor has it.
Expected read_expected(const SafetensorsFile& io, const CaseTensors& names, const std::vector<float>* x,
                       const lookupffn_shape& shape) {
  const size_t tables = shape.tables, d_out = shape.d_out;
  Expected expected;
  expected.given.code = int_rows(io, names.code, kAnyTokens, tables);
  for (size_t k = 0; k < expected.given.code.size(); ++k) {
    const int32_t value = expected.given.code[k];
    if (value < 0 || size_t(value) >= shape.rows) {
      throw std::runtime_error(io.name() + ": tensor '" + names.code + "' holds " + std::to_string(value) + at(k / tables) +
                               "; rows are 0 to " + std::to_string(shape.rows - 1));
    }
  }
  expected.x = x ? *x : float_rows(io, names.x, kAnyTokens, shape.d_in);
  const size_t tokens = expected.tokens = expected.x.size() / shape.d_in;
  if (tokens == 0) throw std::runtime_error(io.name() + ": holds no tokens, so there is nothing to judge");
  int_rows(io, names.code, tokens, tables);  // as many as x
  expected.given.score = float_rows(io, names.score, tokens, tables);
  expected.given.y = float_rows(io, names.y, tokens, d_out);
  std::vector<float> z;
  if (const TensorView* tensor = io.find(names.z)) {
    z.resize(tensor->elements());
    if (z.size() != tokens * tables * shape.bits) {
      throw std::runtime_error(io.name() + ": tensor '" + names.z + "' does not have tokens * tables * bits values");
    }
    read_floats(*tensor, 0, z.size(), z.data());
  }
  // What is not finite would make any result right.
  const auto check_finite = [&](const std::string& name, const std::vector<float>& rows, size_t width) {
    for (size_t n = 0; n < tokens && !rows.empty(); ++n) {
      if (!finite_row(rows, width, n) && finite_row(expected.x, shape.d_in, n)) {
        throw std::runtime_error(io.name() + ": tensor '" + name + "' holds a value that is not finite" + at(n) +
                                 ", where x is finite: nothing can be judged by it");
      }
    }
  };
  check_finite(names.z, z, tables * shape.bits);
  check_finite(names.score, expected.given.score, tables);
  check_finite(names.y, expected.given.y, d_out);
  expected.result.code = expected.given.code;
  expected.result.z.assign(z.begin(), z.end());
  expected.result.score.assign(expected.given.score.begin(), expected.given.score.end());
  expected.result.y.assign(expected.given.y.begin(), expected.given.y.end());
  return expected;
}

// How many codes and scores of the file its own z does not give: such a z cannot excuse a code that differs.
size_t contradictions(const Layer& layer, const Expected& expected) {
  if (expected.result.z.empty()) return 0;
  const size_t tables = layer.shape.tables, bits = layer.shape.bits;
  const Hash of_z = code_and_score(layer, expected.result.z);
  size_t count = 0;
  for (size_t n = 0; n < expected.tokens; ++n) {
    if (!finite_row(expected.x, layer.shape.d_in, n)) continue;
    const double tolerance = row_tolerance(&of_z.score[n * tables], tables);
    for (size_t k = n * tables; k < (n + 1) * tables; ++k) {
      const bool score_fits = std::abs(expected.result.score[k] - of_z.score[k]) <= tolerance;
      if (!score_fits || !code_allowed(&expected.result.z[k * bits], bits, expected.result.code[k])) ++count;
    }
  }
  return count;
}

Verification verify_expected(Expected expected, const SafetensorsFile& io, const Layer& weights, const lookupffn_layer& layer,
                             lookupffn_threads& threads) {
  Input input;
  input.tokens = expected.tokens;
  input.x = expected.x;
  Results given = run_stage(Stage::kHash, layer, threads, input);
  given.y = run_stage(Stage::kForward, layer, threads, input).y;

  const size_t contradicted = contradictions(weights, expected);
  // A z that is x itself is exact: no code is too near to zero to tell.
  if (!weights.rules.projection) expected.result.z.clear();
  const bool rounded = layer.projection_type == LOOKUPFFN_BF16 && weights.rules.projection;
  const Result of_layer = rounded ? forward(weights, expected.x, LOOKUPFFN_BF16) : expected.result;
  Verification found = judge(weights, expected.x, of_layer, given, layer.table_type, layer.projection_type);
  found.contradictions = contradicted;
  if (!found.layer.judged()) {
    throw std::runtime_error(io.name() + ": nothing can be judged by it: " +
                             (found.layer.tokens == 0 ? "no row of x is finite" : "every z is too near to 0 to tell a code"));
  }
  if (!rounded) return found;
  found.rounded = true;
  found.file = judge(weights, expected.x, forward(weights, expected.x), expected.given, LOOKUPFFN_F32, LOOKUPFFN_F32);
  for (size_t k = 0; k < of_layer.code.size(); ++k) {
    const bool finite = finite_row(expected.x, weights.shape.d_in, k / weights.shape.tables);
    found.codes_changed_by_rounding += finite && of_layer.code[k] != expected.result.code[k];
  }
  return found;
}

// Tensors of a layer are named with its prefix, or without where the file is of one layer only.
std::string prefix_in(const SafetensorsFile& io, const ModelLayer& source) {
  return lookupffn_expects(io, source) ? source.prefix() : "";
}

}  // namespace

bool lookupffn_expects(const SafetensorsFile& io, const ModelLayer& source) {
  return io.find(source.prefix() + "x") != nullptr && io.find(source.prefix() + "y") != nullptr;
}

Verification verify_packed(const SafetensorsFile& io, const CaseTensors& tensors, const ModelLayer& source,
                           const lookupffn_layer& layer, lookupffn_threads& threads) {
  const Layer weights = layer_from(weights_of(source));
  return verify_expected(read_expected(io, tensors, nullptr, weights.shape), io, weights, layer, threads);
}

Verification verify_packed(const SafetensorsFile& io, const CaseTensors& tensors, const std::vector<float>& x,
                           const ModelLayer& source, const lookupffn_layer& layer, lookupffn_threads& threads) {
  const Layer weights = layer_from(weights_of(source));
  return verify_expected(read_expected(io, tensors, &x, weights.shape), io, weights, layer, threads);
}

Verification verify_lookupffn(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                              lookupffn_threads& threads) {
  const std::string prefix = prefix_in(io, source);
  return verify_packed(io, {prefix + "x", prefix + "z", prefix + "code", prefix + "score", prefix + "y"}, source, layer,
                       threads);
}

}  // namespace lookupffn::reference
