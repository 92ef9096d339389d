#include "embedding_bag_verify.h"

#include <algorithm>
#include <string>
#include <vector>

#include "embedding_bag_formulas.h"
#include "embedding_bag_layer.h"
#include "failure.h"
#include "reference/token_rows.h"
#include "reference/tolerance.h"

namespace lookupffn::reference {
namespace {

constexpr const char* kResults[] = {"y_sum", "y_mean", "y_weighted"};

[[noreturn]] void malformed(const SafetensorsFile& io, const std::string& what) {
  throw Failure(LOOKUPFFN_MALFORMED_MODEL, io.name() + ": " + what);
}

const TensorView& vector_of(const SafetensorsFile& io, const std::string& name) {
  const TensorView* tensor = io.find(name);
  if (!tensor) malformed(io, "has no tensor '" + name + "'");
  if (tensor->shape.size() != 1) malformed(io, "tensor '" + name + "' must have one dimension");
  return *tensor;
}

std::vector<int64_t> whole_numbers(const SafetensorsFile& io, const std::string& name) {
  const TensorView& tensor = vector_of(io, name);
  if (io.type_name(tensor) != std::string("I64")) {
    malformed(io, "tensor '" + name + "' is " + io.type_name(tensor) + "; it must be I64");
  }
  std::vector<int64_t> values(tensor.shape[0]);
  read_bytes(tensor, 0, tensor.bytes, values.data());
  return values;
}

// Of the file's own rows, and what it expects of them.
void add(Verification& found, const Verdict& verdict) {
  found.layer.tokens = std::max(found.layer.tokens, verdict.tokens);
  found.layer.values += verdict.values;
  found.layer.y_error = worse(found.layer.y_error, verdict.y_error);
  found.layer.y_of_tolerance = worse(found.layer.y_of_tolerance, verdict.y_of_tolerance);
}

// Tensors of a layer are named with its prefix, or without where the file is of one layer only.
std::string prefix_in(const SafetensorsFile& io, const ModelLayer& source) {
  return embedding_bag_expects(io, source) ? source.prefix() : "";
}

}  // namespace

bool embedding_bag_expects(const SafetensorsFile& io, const ModelLayer& source) {
  const auto has = [&](const char* name) { return io.find(source.prefix() + name) != nullptr; };
  return has("ids") && std::any_of(std::begin(kResults), std::end(kResults), has);
}

Verification verify_embedding_bag(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                                  lookupffn_threads& threads) {
  const std::string prefix = prefix_in(io, source);
  const BagWeights& weights = bag_weights_of(source);
  const size_t d_out = weights.shape.d_out;
  Input input;
  input.ids = whole_numbers(io, prefix + "ids");
  input.offsets = whole_numbers(io, prefix + "offsets");
  input.tokens = input.offsets.size();
  Verification found{Verdict()};
  for (const std::string result : kResults) {
    if (!io.find(prefix + result)) continue;
    const std::vector<float> right = float_rows(io, prefix + result, input.tokens, d_out);
    input.mean = result == "y_mean";
    input.weights.clear();
    if (result == "y_weighted") {
      const std::string name = prefix + "per_sample_weights";
      const TensorView& tensor = vector_of(io, name);
      if (tensor.shape[0] != input.ids.size()) malformed(io, "tensor '" + tensor.name + "' must have a value an id");
      input.weights.resize(tensor.shape[0]);
      read_floats(tensor, 0, input.weights.size(), input.weights.data());
    }
    const Results given = run_stage(Stage::kForwardIds, layer, threads, input);
    // Ids and offsets are right, or the layer would have refused them.
    ExpectedBags expected = expected_bags(weights, input, layer.table_type);
    expected.y.assign(right.begin(), right.end());
    add(found, judge_bags(expected, given.y, d_out));
  }
  if (!found.layer.judged()) malformed(io, "nothing can be judged by it: it has no values in y_sum, y_mean or y_weighted");
  return found;
}

}  // namespace lookupffn::reference
