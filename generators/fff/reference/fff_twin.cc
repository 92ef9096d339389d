#include "fff_twin.h"

#include <cmath>
#include <random>
#include <string>

#include "safetensors_writer.h"

namespace lookupffn::reference {
namespace {

std::vector<float> floats_of(const TensorView& tensor) {
  std::vector<float> values(tensor.elements());
  if (!values.empty()) read_floats(tensor, 0, values.size(), values.data());
  return values;
}

// The normal distribution as the standard leaves it open differs between libraries; this one does not.
std::vector<float> normals(std::mt19937_64& random, size_t count, double deviation) {
  std::vector<float> values(count);
  for (float& value : values) {
    const double u = (double(random() >> 11) + 0.5) * 0x1p-53, angle = double(random() >> 11) * 0x1p-53 * 6.283185307179586;
    value = float(std::sqrt(-2 * std::log(u)) * std::cos(angle) * deviation);
  }
  return values;
}

// What of a way's logits float arithmetic may get wrong, as a share of the sum of its products' sizes.
constexpr double kFloatError = 1e-6;

// Fills in what belongs to a node that was reached.
void visit(const FffTrees& trees, const float* x, size_t tree, size_t level, size_t at, FffPaths& paths) {
  const FffShape& shape = trees.shape;
  if (level >= shape.logits()) {
    paths.score[at] = 1;
    return;
  }
  const size_t node = tree * shape.nodes() + size_t(paths.node[at]);
  double logit = trees.node_bias[node], sizes = std::abs(logit);
  for (size_t i = 0; i < shape.d_in; ++i) {
    const double product = double(trees.node_weight[node * shape.d_in + i]) * x[i];
    logit += product;
    sizes += std::abs(product);
  }
  paths.logit[at] = logit;
  paths.score[at] = exact_gelu(logit);
  paths.undecided[at] = !(std::abs(logit) > kFloatError * sizes);
}

int32_t child_of(const FffTrees& trees, int32_t node, double logit) {
  return 2 * node + 1 + (trees.zero_right ? logit >= 0 : logit > 0);
}

// next(level, at): the node at `at`, of a level beyond the root's.
template <class Next>
FffPaths walk(const FffTrees& trees, const std::vector<float>& x, Next next) {
  const FffShape& shape = trees.shape;
  const size_t tokens = x.size() / shape.d_in, size = tokens * shape.path();
  FffPaths paths{std::vector<int32_t>(size, -1), std::vector<double>(size), std::vector<double>(size), std::vector<bool>(size)};
  for (size_t n = 0; n < tokens; ++n) {
    for (size_t t = 0; t < shape.trees; ++t) {
      for (size_t level = 0; level < shape.levels(); ++level) {
        const size_t at = (n * shape.trees + t) * shape.levels() + level;
        paths.node[at] = next(paths, level, at);
        if (paths.node[at] < 0) break;
        visit(trees, &x[n * shape.d_in], t, level, at, paths);
      }
    }
  }
  return paths;
}

}  // namespace

FffTrees fff_trees_from(const FffWeights& weights) {
  FffTrees trees{fff_shape(weights.shape), weights.zero_right, weights.gelu, {}, {}, {}, {}, {}, {}, {}};
  const FffShape& shape = trees.shape;
  const size_t nodes = shape.trees * shape.nodes();
  if (nodes > 0) trees.node_weight = floats_of(weights.node_weight);
  trees.node_bias = weights.has_node_bias && nodes > 0 ? floats_of(weights.node_bias) : std::vector<float>(nodes);
  if (shape.has_leaves()) {
    trees.w1 = floats_of(weights.w1);
    trees.b1 = floats_of(weights.b1);
    trees.w2 = floats_of(weights.w2);
    trees.b2 = floats_of(weights.b2);
    return trees;
  }
  trees.rows = floats_of(weights.rows);
  if (!weights.rows_are_columns) return trees;
  const std::vector<float> columns = trees.rows;
  for (size_t node = 0; node < nodes; ++node) {
    for (size_t d = 0; d < shape.d_out; ++d) trees.rows[node * shape.d_out + d] = columns[d * nodes + node];
  }
  return trees;
}

FffTrees random_fff_trees(const FffShape& shape, uint64_t seed) {
  std::mt19937_64 random(seed);
  FffTrees trees{shape, shape.has_leaves(), seed % 2 == 0, {}, {}, {}, {}, {}, {}, {}};
  const size_t nodes = shape.trees * shape.nodes(), leaves = shape.leaves();
  const double of_inputs = 1 / std::sqrt(double(shape.d_in));
  trees.node_weight = normals(random, nodes * shape.d_in, of_inputs);
  trees.node_bias = normals(random, nodes, 0.1);
  if (shape.has_leaves()) {
    trees.w1 = normals(random, leaves * shape.d_in * shape.hidden, of_inputs);
    trees.b1 = normals(random, leaves * shape.hidden, 0.1);
    trees.w2 = normals(random, leaves * shape.hidden * shape.d_out, 1 / std::sqrt(double(shape.hidden)));
    trees.b2 = normals(random, leaves * shape.d_out, 0.1);
  } else {
    trees.rows = normals(random, nodes * shape.d_out, 0.3);
  }
  return trees;
}

std::vector<uint8_t> fff_model_bytes(const FffTrees& trees) {
  const FffShape& shape = trees.shape;
  const size_t nodes = shape.trees * shape.nodes(), leaves = shape.leaves();
  const auto tensor = [](const char* name, std::vector<size_t> extents, const std::vector<float>& values) {
    return TensorSource{name, ElementType::kF32, std::move(extents), values.data()};
  };
  if (shape.has_leaves()) {
    return safetensors_bytes(
        {tensor("node_weights", {nodes, shape.d_in}, trees.node_weight), tensor("node_biases", {nodes, 1}, trees.node_bias),
         tensor("w1s", {leaves, shape.d_in, shape.hidden}, trees.w1), tensor("b1s", {leaves, shape.hidden}, trees.b1),
         tensor("w2s", {leaves, shape.hidden, shape.d_out}, trees.w2), tensor("b2s", {leaves, shape.d_out}, trees.b2)},
        {{"activation", trees.gelu ? "gelu" : "relu"}});
  }
  if (trees.zero_right) {  // whose form has no biases
    return safetensors_bytes(
        {tensor("w1s", {nodes, shape.d_in}, trees.node_weight), tensor("w2s", {nodes, shape.d_out}, trees.rows)});
  }
  std::vector<float> columns(trees.rows.size());
  for (size_t node = 0; node < nodes; ++node) {
    for (size_t d = 0; d < shape.d_out; ++d) columns[d * nodes + node] = trees.rows[node * shape.d_out + d];
  }
  return safetensors_bytes(
      {tensor("linear_in.weight", {nodes, shape.d_in}, trees.node_weight), tensor("linear_in.bias", {nodes}, trees.node_bias),
       tensor("linear_out.weight", {shape.d_out, nodes}, columns)},
      {{"trees", std::to_string(shape.trees)}});
}

double exact_gelu(double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); }

FffPaths descend(const FffTrees& trees, const std::vector<float>& x) {
  return walk(trees, x, [&](const FffPaths& paths, size_t level, size_t at) {
    return level == 0 ? 0 : child_of(trees, paths.node[at - 1], paths.logit[at - 1]);
  });
}

FffPaths follow(const FffTrees& trees, const std::vector<float>& x, const std::vector<int32_t>& node) {
  return walk(trees, x, [&](const FffPaths& paths, size_t level, size_t at) {
    const bool there = level == 0 ? node[at] == 0 : (node[at] - 1) / 2 == paths.node[at - 1] && node[at] > 0;
    return there ? node[at] : -1;
  });
}

size_t wrong_turns(const FffTrees& trees, const FffPaths& paths) {
  size_t wrong = 0;
  for (size_t at = 0; at < paths.node.size(); ++at) {
    if (paths.node[at] < 0) {
      ++wrong;
    } else if (at % trees.shape.levels() > 0 && !paths.undecided[at - 1]) {
      wrong += paths.node[at] != child_of(trees, paths.node[at - 1], paths.logit[at - 1]);
    }
  }
  return wrong;
}

std::vector<int32_t> paths_of_codes(const FffTrees& trees, const std::vector<int32_t>& code) {
  const FffShape& shape = trees.shape;
  if (!shape.has_leaves()) return code;
  std::vector<int32_t> node(code.size() * shape.levels());
  for (size_t n = 0; n < code.size(); ++n) {
    int32_t at = code[n] + int32_t(shape.leaves()) - 1;
    for (size_t level = shape.levels(); level-- > 0; at = (at - 1) / 2) node[n * shape.levels() + level] = at;
  }
  return node;
}

std::vector<double> add_rows(const FffTrees& trees, const std::vector<int32_t>& node, const std::vector<double>& score) {
  const FffShape& shape = trees.shape;
  const size_t tokens = node.size() / shape.path();
  std::vector<double> y(tokens * shape.d_out);
  for (size_t at = 0; at < node.size(); ++at) {
    if (node[at] < 0) continue;
    const size_t n = at / shape.path(), t = at / shape.levels() % shape.trees;
    const float* row = &trees.rows[(t * shape.nodes() + size_t(node[at])) * shape.d_out];
    for (size_t d = 0; d < shape.d_out; ++d) y[n * shape.d_out + d] += score[at] * row[d];
  }
  return y;
}

std::vector<double> leaf_outputs(const FffTrees& trees, const std::vector<float>& x, const std::vector<int32_t>& node) {
  const FffShape& shape = trees.shape;
  const size_t tokens = x.size() / shape.d_in;
  std::vector<double> y(tokens * shape.d_out), hidden(shape.hidden);
  for (size_t n = 0; n < tokens; ++n) {
    const int32_t last = node[n * shape.levels() + shape.depth];
    if (last < 0) continue;
    const size_t leaf = size_t(last) - (shape.leaves() - 1);
    for (size_t j = 0; j < shape.hidden; ++j) {
      double sum = trees.b1[leaf * shape.hidden + j];
      for (size_t i = 0; i < shape.d_in; ++i)
        sum += double(x[n * shape.d_in + i]) * trees.w1[(leaf * shape.d_in + i) * shape.hidden + j];
      hidden[j] = trees.gelu ? exact_gelu(sum) : sum > 0 ? sum : 0;
    }
    for (size_t d = 0; d < shape.d_out; ++d) {
      double sum = trees.b2[leaf * shape.d_out + d];
      for (size_t j = 0; j < shape.hidden; ++j) sum += hidden[j] * trees.w2[(leaf * shape.hidden + j) * shape.d_out + d];
      y[n * shape.d_out + d] = sum;
    }
  }
  return y;
}

}  // namespace lookupffn::reference
