#include "verify.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <stdexcept>

#include "weight_types.h"

namespace lookupffn::bench {
namespace {

// The inputs that are judged, as twins are slow: the first, the last and two between.
std::set<size_t> inputs_to_judge(size_t tokens) {
  if (tokens == 0) throw std::runtime_error("there is nothing to compare");
  return {0, tokens / 3, tokens / 2, tokens - 1};
}

template <class Value>
std::vector<Value> rows_at(const Value* values, size_t width, const std::set<size_t>& at) {
  std::vector<Value> rows;
  for (const size_t n : at) rows.insert(rows.end(), values + n * width, values + (n + 1) * width);
  return rows;
}

reference::Input inputs_at(const ComparedLayer& layer, const std::set<size_t>& at) {
  reference::Input input;
  input.tokens = at.size();
  if (layer.takes_ids()) {
    input.ids = rows_at(layer.ring.ids.data(), layer.lookups(), at);
    for (size_t n = 0; n < at.size(); ++n) input.offsets.push_back(int64_t(n * layer.lookups()));
    return input;
  }
  input.x = rows_at(layer.ring.x.data(), size_t(layer.shape.d_in), at);
  input.code = rows_at(layer.ring.code.data(), layer.lookups(), at);
  input.score = rows_at(layer.ring.score.data(), layer.lookups(), at);
  return input;
}

void check(const char* what, const reference::Verdict& verdict) {
  if (verdict.passed()) return;
  std::ostringstream message;
  message << what << ": ";
  if (!verdict.judged()) {
    message << "no input whose codes rounding cannot flip, so nothing was compared";
  } else if (verdict.wrong_codes > 0) {
    message << verdict.wrong_codes << " of " << verdict.codes << " codes are not the formulas'";
  } else if (!(verdict.score_of_tolerance <= 1)) {
    message << "a score is " << verdict.score_of_tolerance << " times its tolerance off";
  } else {
    message << "y is " << verdict.y_of_tolerance << " times its tolerance off";
  }
  throw std::runtime_error(message.str());
}

void verify_layer(const std::vector<Part>& parts, Contender& contender, const ComparedLayer& layer, Types types,
                  size_t tokens) {
  const auto twin = reference::reference_family(layer.shape.family).twin(layer.source(), types.table, types.projection);
  const std::set<size_t> judged = inputs_to_judge(tokens);
  const reference::Input input = inputs_at(layer, judged);
  const auto has = [&](Part part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
  const auto y_of = [&] { return rows_at(contender.y(tokens).data(), size_t(layer.shape.d_out), judged); };
  reference::Results given;
  if (has(Part::kHash)) {
    contender.run(Part::kHash, 0, tokens);
    given.code = rows_at(contender.code(), layer.lookups(), judged);
    given.score = rows_at(contender.score(), layer.lookups(), judged);
    check("hash", twin->judge(reference::Stage::kHash, input, given));
  }
  if (has(Part::kAll)) {
    contender.run(Part::kAll, 0, tokens);
    given.y = y_of();
    check("whole layer", twin->judge(layer.stage(Part::kAll), input, given));
  }
  if (has(Part::kGather)) {
    contender.run(Part::kGather, 0, tokens);
    check("gather", twin->judge(reference::Stage::kGather, input, {{}, {}, y_of()}));
  }
}

void verify_dense(const std::string& weight_type, Contender& contender, const ComparedLayer& layer, size_t tokens) {
  contender.run(Part::kAll, 0, tokens);
  const std::vector<float> y = contender.y(tokens);
  // bf16: 8 bits of mantissa in x, in the weights, between the products and in y.
  const double share = weight_type_of(weight_type).rounding > 0 ? 4e-2 : 1e-4;
  for (const size_t n : inputs_to_judge(tokens)) {
    const std::vector<double> expected = naive_dense_network(layer.dense, &layer.ring.x[n * layer.dense.d_in()]);
    double squares = 0;
    for (const double value : expected) squares += value * value;
    const double tolerance = share * std::sqrt(squares / double(expected.size())) + 1e-6;
    if (!std::isfinite(tolerance)) throw std::runtime_error("what is expected is not finite");  // it would allow anything
    for (size_t i = 0; i < expected.size(); ++i) {
      if (std::fabs(y[n * expected.size() + i] - expected[i]) <= tolerance) continue;  // false for NaN
      std::ostringstream message;
      message << "y of token " << n << " is wrong: [" << i << "] is " << y[n * expected.size() + i] << ", not " << expected[i]
              << " (tolerance " << tolerance << ")";
      throw std::runtime_error(message.str());
    }
  }
}

}  // namespace

void verify_contender(const ContenderKind& kind, const std::vector<Part>& parts, Contender& contender,
                      const ComparedLayer& layer, Types types, size_t tokens) {
  if (kind.computes == ContenderKind::Computes::kDense) return verify_dense(kind.weight_type, contender, layer, tokens);
  verify_layer(parts, contender, layer, types, tokens);
}

}  // namespace lookupffn::bench
