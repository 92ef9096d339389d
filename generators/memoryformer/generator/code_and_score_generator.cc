// z -> code, score: the hash of a layer without LayerNorm and projection, of one tile of tokens.
#include <algorithm>
#include <memory>

#include "Halide.h"
#include "code_and_score.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "load_alignment.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class CodeAndScoreOfInput : public KernelGenerator<CodeAndScoreOfInput> {
 public:
  // ---- the problem ----
  GeneratorParam<int> tables{"tables", 64};
  GeneratorParam<int> bits{"bits", 8};
  GeneratorParam<ZeroBit> zero{"zero", ZeroBit::kZero, zero_bit_names()};

  // ---- the schedule ----
  GeneratorParam<int> token_tile{"token_tile", 1};      // tokens of a call
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // 0: the target's

  Input<Buffer<float>> z{"z", 2};  // [tokens, tables * bits], readable up to a multiple of 64: k, n
  Output<Func> code_and_score{"code_and_score", {UInt(16), Float(32)}, 2};  // both [tokens, tables]: t, n

  void generate() {
    // code[t]  = sum_j (z[t, j] > 0) << (bits - 1 - j), or z[t, j] >= 0
    // score[t] = sum_j |z[t, j]| / prod_j (1 + exp(-2 |z[t, j]|))
    result.reset(new CodeAndScore(z, bits, zero, t, n));
    code_and_score(t, n) = Tuple(result->code, result->score);
  }

  void schedule() {
    const int lanes = (vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4;
    const int table_lanes = std::min<int>(lanes, tables);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    get_pipeline().add_custom_lowering_pass(new LoadAlignment);
    for (int dim = 0; dim < 2; ++dim) z.dim(dim).set_min(0);
    Func outputs = code_and_score;
    // The second output has the first one's bounds.
    OutputImageParam first = outputs.output_buffers()[0];
    first.dim(0).set_bounds(0, int(tables));
    first.dim(1).set_bounds(0, int(token_tile));
    Var tv("tv");
    outputs.bound(t, 0, int(tables)).bound(n, 0, int(token_tile));
    if (table_lanes > 1) outputs.split(t, t, tv, table_lanes, TailStrategy::ShiftInwards).vectorize(tv);
    result->schedule(outputs, t, table_lanes);
  }

 private:
  Var t{"t"}, n{"n"};
  std::unique_ptr<CodeAndScore> result;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::CodeAndScoreOfInput, code_and_score)
