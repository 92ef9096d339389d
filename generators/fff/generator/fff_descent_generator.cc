// x -> codes and scores of fast feed-forward trees: the way down from each tree's root.
#include <memory>
#include <vector>

#include "Halide.h"
#include "gelu.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "node_logit.h"
#include "node_prefetch.h"
#include "row_prefetch.h"
#include "stack_storage.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Form { kNodes, kLeaves };

class FffDescent : public KernelGenerator<FffDescent> {
 public:
  // ---- the problem ----
  GeneratorParam<int> d_in{"d_in", 768};  // a multiple of NodeLogit::kPartials
  GeneratorParam<int> depth{"depth", 11};
  GeneratorParam<int> trees{"trees", 1};
  GeneratorParam<Form> form{
      "form", Form::kNodes, {{"nodes", Form::kNodes}, {"leaves", Form::kLeaves}}};  // leaves have no logit

  // ---- the schedule ----
  GeneratorParam<int> token_tile{"token_tile", 1};      // tokens that go down together, level by level
  GeneratorParam<int> tree_tile{"tree_tile", 1};        // trees, likewise
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> node_lines{"node_lines", 0};      // cache lines fetched of each node's weights, as soon as it is known
  GeneratorParam<int> child_lines{"child_lines", 0};    // the same of both its children

  Input<Buffer<float>> x{"x", 2};                                          // [tokens, d_in]: i, n
  Input<Buffer<float>> weight{"weight", 3};                                // [trees, nodes, d_in]: i, node, t
  Input<Buffer<float>> bias{"bias", 2};                                    // [trees, nodes]: node, t
  Input<int> zero_right{"zero_right"};                                     // where a logit of zero leads: 0 left, 1 right
  Output<Func> code_and_score{"code_and_score", {Int(32), Float(32)}, 3};  // both [tokens, trees, depth + 1]: level, t, n

  void generate() {
    std::vector<Expr> codes, scores;
    nodes.emplace_back("node0");
    // node[0] = 0
    nodes[0](t, n) = 0;
    for (int l = 0; l <= depth; ++l) {
      const Func node = nodes.back();
      codes.push_back(node(t, n));
      if (l == depth && form == Form::kLeaves) {
        // score[depth] = 1
        scores.push_back(1.0f);
        break;
      }
      const std::string name = "logit" + std::to_string(l);
      const int so_far = (1 << (l + 1)) - 1;
      // logit[l] = sum_i weight[node[l], i] x[i] + bias[node[l]]; saying which nodes there are bounds them
      // for Halide
      const auto bounded = [&](const Expr& tree, const Expr& token) {
        return unsafe_promise_clamped(node(tree, token), 0, so_far - 1);
      };
      logits.emplace_back(new NodeLogit(name, x, weight, bias, Expr(int(d_in)), bounded));
      const Expr logit = logits.back()->logit(t, n);
      // score[l] = gelu(logit[l])
      scores.push_back(strict_float(gelu(logit)));
      if (l == depth) break;
      // node[l + 1] = 2 node[l] + 1 + (logit[l] > 0)
      nodes.emplace_back("node" + std::to_string(l + 1));
      nodes.back()(t, n) = child(node(t, n), logit, zero_right);
    }
    // code[l] = node[l]
    code_and_score(level, t, n) = Tuple(at_level(codes), at_level(scores));
  }

  void schedule() {
    const int lanes = (vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4;
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));

    // ---- what the caller promises
    const int node_count = (2 << int(depth)) - 1 - (form == Form::kLeaves ? 1 << int(depth) : 0);
    for (int dim = 0; dim < 2; ++dim) {
      x.dim(dim).set_min(0);
      bias.dim(dim).set_min(0);
      weight.dim(dim).set_min(0);
    }
    weight.dim(1).set_stride(int(d_in));
    weight.dim(2).set_min(0).set_stride(int(d_in) * node_count);
    bias.dim(1).set_stride(node_count);
    Func outputs = code_and_score;
    const int levels = int(depth) + 1;
    for (OutputImageParam& output : outputs.output_buffers()) {
      output.dim(1).set_stride(levels);
      output.dim(2).set_stride(levels * int(trees));
    }
    // The second output has the first one's bounds.
    OutputImageParam first = outputs.output_buffers()[0];
    first.dim(0).set_bounds(0, levels);
    first.dim(1).set_bounds(0, int(trees));
    first.dim(2).set_min(0);

    // ---- tiles go down level by level
    Var to("to"), ti("ti"), no("no"), ni("ni");
    outputs.bound(level, 0, levels)
        .bound(t, 0, int(trees))
        .unroll(level)
        .split(t, to, ti, int(tree_tile), TailStrategy::GuardWithIf)
        .split(n, no, ni, int(token_tile), TailStrategy::GuardWithIf)
        .reorder(level, ti, ni, to, no);
    for (size_t l = 1; l < nodes.size(); ++l) keep_on_stack(nodes[l].compute_at(outputs, to));
    for (auto& node : logits) {
      keep_on_stack(node->logit.compute_at(outputs, to));
      node->schedule_sums(node->logit, node->t, lanes);
    }

    // ---- weights are fetched ahead, of one tree: behind a node's lines its children's, which the last level
    // does not have
    const int row_bytes = int(d_in) * int(sizeof(float));
    for (size_t l = 0; l < logits.size() && trees == 1; ++l) {
      if (node_lines > 0)
        get_pipeline().add_custom_lowering_pass(new NodePrefetch(nodes[l].name(), "weight", row_bytes, 1, 0, 1, node_lines));
      if (child_lines > 0 && l + 1 < logits.size()) {
        get_pipeline().add_custom_lowering_pass(new NodePrefetch(nodes[l].name(), "weight", row_bytes, 2, 1, 2, child_lines));
      }
    }
    if (node_lines > 0 || child_lines > 0) functions()->insert(prefetch_function(get_target()));
  }

 private:
  Expr at_level(const std::vector<Expr>& values) const { return values.size() == 1 ? values[0] : mux(level, values); }

  Var level{"level"}, t{"t"}, n{"n"};
  std::vector<Func> nodes;
  std::vector<std::unique_ptr<NodeLogit>> logits;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::FffDescent, fff_descent)
