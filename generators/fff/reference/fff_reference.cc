// A fast feed-forward layer for those who check and measure: its twin behind the interface of all families,
// and `verify`.
#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "failure.h"
#include "fff_twin.h"
#include "reference/random_numbers.h"
#include "reference/reference_family.h"
#include "reference/tolerance.h"

namespace lookupffn::reference {
namespace {

template <class Value>
bool finite(const Value* values, size_t count) {
  return std::all_of(values, values + count, [](Value value) { return std::isfinite(value); });
}

// Folds the differences of a row into the largest, and into the largest share of the row's tolerance.
void judge_row(const double* expected, const float* given, size_t size, double& error, double& of_tolerance) {
  const double tolerance = row_tolerance(expected, size);
  for (size_t i = 0; i < size; ++i) {
    const double difference = std::abs(given[i] - expected[i]);
    error = worse(error, difference);
    of_tolerance = worse(of_tolerance, difference / tolerance);
  }
}

// What is expected of a layer, along the ways that tokens take.
struct Expected {
  FffPaths paths;
  std::vector<double> y;
  size_t wrong_codes = 0, undecided_codes = 0;
};

// Judges codes, scores and y, those that were given, but for wrong and undecided codes, which `expected`
// tells of.
Verdict judge_results(const FffTrees& trees, const std::vector<float>& x, const Expected& expected, const Results& given) {
  const FffShape& shape = trees.shape;
  const size_t lookups = shape.has_leaves() ? 1 : shape.path();
  Verdict verdict;
  verdict.wrong_codes = expected.wrong_codes;
  verdict.undecided_codes = expected.undecided_codes;
  for (size_t n = 0; n < x.size() / shape.d_in; ++n) {
    const float* y = given.y.empty() ? nullptr : &given.y[n * shape.d_out];
    if (!finite(&x[n * shape.d_in], shape.d_in)) {
      ++verdict.not_finite_tokens;
      if (y) verdict.finite_y += size_t(std::count_if(y, y + shape.d_out, [](float value) { return std::isfinite(value); }));
      continue;
    }
    ++verdict.tokens;
    const auto way = expected.paths.node.begin() + ptrdiff_t(n * shape.path());
    const bool right_way = std::none_of(way, way + ptrdiff_t(shape.path()), [](int32_t node) { return node < 0; });
    if (!given.code.empty()) verdict.codes += lookups;
    if (y) verdict.values += shape.d_out;
    if (!right_way) continue;  // wrong codes already
    if (!given.code.empty()) {
      const double one = 1;
      judge_row(shape.has_leaves() ? &one : &expected.paths.score[n * shape.path()], &given.score[n * lookups], lookups,
                verdict.score_error, verdict.score_of_tolerance);
    }
    if (y) judge_row(&expected.y[n * shape.d_out], y, shape.d_out, verdict.y_error, verdict.y_of_tolerance);
  }
  return verdict;
}

bool decided(const FffShape& shape, const FffPaths& paths, size_t n) {
  const auto begin = paths.undecided.begin() + ptrdiff_t(n * shape.path());
  return std::none_of(begin, begin + ptrdiff_t(shape.path()), [](bool undecided) { return undecided; });
}

class FffTwin final : public Twin {
 public:
  explicit FffTwin(FffTrees trees) : trees_(std::move(trees)) {}

  Input random_input(Stage stage, size_t tokens, uint64_t seed) const override {
    Input input;
    input.tokens = tokens;
    if (stage != Stage::kGather) {
      input.x = random_tokens(tokens, trees_.shape.d_in, seed);
      return input;
    }
    const FffShape& shape = trees_.shape;
    std::mt19937_64 random(seed);
    for (size_t way = 0; way < tokens * shape.trees; ++way) {
      int32_t node = 0;
      for (size_t level = 0; level < shape.levels(); ++level) {
        const uint64_t bits = random();
        input.code.push_back(node);
        input.score.push_back(float(bits & 0xffff) / 32768.0f - 0.5f);
        node = 2 * node + 1 + int32_t(bits >> 63);
      }
    }
    return input;
  }

  Verdict judge(Stage stage, const Input& input, const Results& given) const override {
    const FffShape& shape = trees_.shape;
    Expected expected;
    if (stage == Stage::kGather) {
      expected.paths.node = input.code;
      expected.y = add_rows(trees_, input.code, std::vector<double>(input.score.begin(), input.score.end()));
      return judge_results(trees_, std::vector<float>(input.tokens * shape.d_in), expected, given);
    }
    if (given.code.empty()) {
      expected.paths = descend(trees_, input.x);
      // Of ways that nobody knows, there is no right y.
      Input known;
      Results known_results;
      FffPaths known_paths;
      for (size_t n = 0; n < input.tokens; ++n) {
        if (!decided(shape, expected.paths, n) && finite(&input.x[n * shape.d_in], shape.d_in)) continue;
        known.x.insert(known.x.end(), &input.x[n * shape.d_in], &input.x[(n + 1) * shape.d_in]);
        known_results.y.insert(known_results.y.end(), &given.y[n * shape.d_out], &given.y[(n + 1) * shape.d_out]);
      }
      expected.paths = descend(trees_, known.x);
      expected.y = fff_outputs(trees_, known.x, expected.paths);
      return judge_results(trees_, known.x, expected, known_results);
    }
    const std::vector<int32_t> ways = paths_of_codes(trees_, given.code);
    expected.paths = follow(trees_, input.x, ways);
    expected.wrong_codes = wrong_turns(trees_, expected.paths);
    for (size_t at = 0; at < ways.size(); ++at) {
      expected.undecided_codes += !shape.has_leaves() && at % shape.levels() > 0 && expected.paths.undecided[at - 1];
    }
    expected.y = fff_outputs(trees_, input.x, expected.paths);
    return judge_results(trees_, input.x, expected, given);
  }

 private:
  const FffTrees trees_;
};

std::unique_ptr<Twin> twin_of(const ModelLayer& source, lookupffn_type, lookupffn_type) {
  return std::make_unique<FffTwin>(fff_trees_from(fff_weights_of(source)));
}

// ---- verify ----

std::string prefix_in(const SafetensorsFile& io, const ModelLayer& source) {
  return io.find(source.prefix() + "x") != nullptr ? source.prefix() : "";
}

bool expects(const SafetensorsFile& io, const ModelLayer& source) { return io.find(source.prefix() + "x") != nullptr; }

// A tensor of `count` values; none where the file does not have it.
const TensorView* tensor_of(const SafetensorsFile& io, const std::string& name, size_t count) {
  const TensorView* tensor = io.find(name);
  if (tensor && tensor->elements() != count) {
    throw std::runtime_error(io.name() + ": tensor " + quote_name(name) + " has " + std::to_string(tensor->elements()) +
                             " values; " + std::to_string(count) + " are needed");
  }
  return tensor;
}

std::vector<float> floats_of(const SafetensorsFile& io, const std::string& name, size_t count) {
  const TensorView* tensor = tensor_of(io, name, count);
  if (!tensor) return {};
  std::vector<float> values(count);
  if (count > 0) read_floats(*tensor, 0, count, values.data());
  if (!finite(values.data(), count))
    throw std::runtime_error(io.name() + ": tensor " + quote_name(name) +
                             " holds a value that is not finite: nothing can be judged by it");
  return values;
}

std::vector<int32_t> whole_numbers_of(const SafetensorsFile& io, const std::string& name, size_t count, size_t below) {
  const TensorView* tensor = tensor_of(io, name, count);
  if (!tensor) return {};
  const std::string type = io.type_name(*tensor);
  if (type != "I64" && type != "I32")
    throw std::runtime_error(io.name() + ": tensor " + quote_name(name) + " has the dtype " + type + "; I64 or I32 is needed");
  std::vector<int32_t> values(count);
  const size_t bytes = type == "I64" ? sizeof(int64_t) : sizeof(int32_t);
  for (size_t i = 0; i < count; ++i) {
    int64_t value = 0;  // little-endian, as the file is
    read_bytes(*tensor, i * bytes, bytes, &value);
    if (value < 0 || uint64_t(value) >= below) {
      throw std::runtime_error(io.name() + ": tensor " + quote_name(name) + " holds " + std::to_string(value) +
                               "; rows are 0 to " + std::to_string(below - 1));
    }
    values[i] = int32_t(value);
  }
  return values;
}

Verification verify(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                    lookupffn_threads& threads) {
  const FffTrees trees = fff_trees_from(fff_weights_of(source));
  const FffShape& shape = trees.shape;
  const std::string prefix = prefix_in(io, source);
  const TensorView* x = io.find(prefix + "x");
  if (!x || x->shape.size() != 2 || x->shape[1] != shape.d_in || x->shape[0] == 0) {
    throw std::runtime_error(io.name() + ": holds no tensor " + quote_name(prefix + "x") + " of [tokens, " +
                             std::to_string(shape.d_in) + "], so there is nothing to judge");
  }
  Input input;
  const size_t tokens = input.tokens = x->shape[0];
  input.x = floats_of(io, prefix + "x", tokens * shape.d_in);
  // The file's codes are right: paths where it has them, and of leaves, which every path leads to.
  const std::vector<int32_t> codes = whole_numbers_of(io, prefix + (shape.has_leaves() ? "leaf" : "path"),
                                                      tokens * (shape.has_leaves() ? 1 : shape.path()), source.shape().rows);
  if (codes.empty())
    throw std::runtime_error(io.name() + ": holds no tensor " + quote_name(prefix + (shape.has_leaves() ? "leaf" : "path")) +
                             ", so there is nothing to judge by");

  Results given = run_stage(Stage::kHash, layer, threads, input);
  given.y = run_stage(Stage::kForward, layer, threads, input).y;
  Expected expected;
  expected.paths = follow(trees, input.x, paths_of_codes(trees, codes));
  for (size_t at = 0; at < codes.size(); ++at) expected.wrong_codes += given.code[at] != codes[at];
  const std::vector<double> exact = fff_outputs(trees, input.x, expected.paths);
  // Where the file has logits and y, they are right; what of it the formulas do not give contradicts it.
  size_t contradictions = wrong_turns(trees, expected.paths);
  const std::vector<float> logit = floats_of(io, prefix + "logit", tokens * shape.trees * shape.logits());
  for (size_t i = 0; i < logit.size(); ++i) {
    const size_t at = i / shape.logits() * shape.levels() + i % shape.logits();
    contradictions += !(std::abs(logit[i] - expected.paths.logit[at]) <= 1e-5 * (1 + std::abs(logit[i])));
    expected.paths.score[at] = exact_gelu(logit[i]);
  }
  std::vector<float> y = floats_of(io, prefix + (shape.has_leaves() ? "y_with_b2" : "y"), tokens * shape.d_out);
  if (y.empty() && shape.has_leaves()) {
    y = floats_of(io, prefix + "y_without_b2", tokens * shape.d_out);
    for (size_t i = 0; i < y.size(); ++i) y[i] += trees.b2[size_t(codes[i / shape.d_out]) * shape.d_out + i % shape.d_out];
  }
  if (y.empty()) throw std::runtime_error(io.name() + ": holds no y, so there is nothing to judge by");
  expected.y.assign(y.begin(), y.end());
  const Verdict of_file = judge_results(trees, input.x, {expected.paths, exact, 0, 0}, Results{{}, {}, y});
  contradictions += of_file.y_of_tolerance > 1;
  Verification found = judge_results(trees, input.x, expected, given);
  found.contradictions = contradictions;
  return found;
}

std::vector<uint8_t> random_model(const lookupffn_shape& shape, uint64_t seed) {
  return fff_model_bytes(random_fff_trees(fff_shape(shape), seed));
}

Stage stage_of(const std::string& kernel) {
  return kernel == "fff_descent" ? Stage::kHash : kernel == "fff_rows" ? Stage::kGather : Stage::kForward;
}

}  // namespace

extern const ReferenceFamily fff_reference_family;
const ReferenceFamily fff_reference_family = {"fff", twin_of, expects, verify, random_model, stage_of};

}  // namespace lookupffn::reference
