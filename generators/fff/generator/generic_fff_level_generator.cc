// One level of the way down fast feed-forward trees of any width, number and depth: the generic descent calls
// it for each.
#include <memory>

#include "Halide.h"
#include "gelu.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "node_logit.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericFffLevel : public KernelGenerator<GenericFffLevel> {
 public:
  Input<Buffer<float>> x{"x", 2};            // [tokens, d_in], d_in a multiple of NodeLogit::kPartials: i, n
  Input<Buffer<float>> weight{"weight", 3};  // [trees, nodes, d_in]: i, node, t
  Input<Buffer<float>> bias{"bias", 2};      // [trees, nodes]: node, t
  Input<int> zero_right{"zero_right"};       // where a logit of zero leads: 0 left, 1 right
  Input<Buffer<int32_t>> node{"node", 2};    // [tokens, trees], of any strides: t, n
  Output<Func> next_and_score{"next_and_score", {Int(32), Float(32)}, 2};  // both likewise

  void generate() {
    // logit = sum_i weight[node, i] x[i] + bias[node]; saying which nodes there are bounds them for Halide
    const Expr last = weight.dim(1).extent() - 1;
    const auto bounded = [&](const Expr& tree, const Expr& token) {
      return unsafe_promise_clamped(node(tree, token), 0, last);
    };
    logit.reset(new NodeLogit("logit", x, weight, bias, x.dim(0).extent(), bounded));
    // next = 2 node + 1 + (logit > 0), score = gelu(logit)
    next_and_score(t, n) = Tuple(child(node(t, n), logit->logit(t, n), zero_right), strict_float(gelu(logit->logit(t, n))));
  }

  void schedule() {
    const int lanes = std::min(NodeLogit::kLanes, vector_lanes(get_target()));
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    for (int dim = 0; dim < 2; ++dim) {
      x.dim(dim).set_min(0);
      bias.dim(dim).set_min(0);
      weight.dim(dim).set_min(0);
      node.dim(dim).set_min(0);
    }
    weight.dim(2).set_min(0);
    node.dim(0).set_stride(Expr());
    Func outputs = next_and_score;
    for (OutputImageParam& output : outputs.output_buffers()) output.dim(0).set_stride(Expr());
    // The second output has the first one's bounds.
    OutputImageParam first = outputs.output_buffers()[0];
    first.dim(0).set_min(0);
    first.dim(1).set_min(0);
    logit->logit.compute_at(outputs, t);
    logit->schedule_sums(outputs, t, lanes);
  }

 private:
  Var t{"t"}, n{"n"};
  std::unique_ptr<NodeLogit> logit;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericFffLevel, generic_fff_level)
