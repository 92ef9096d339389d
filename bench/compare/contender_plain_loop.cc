// The whole layer in straightforward C++, -O3 -march=native (plain_loop.cc).
#include "contender.h"
#include "native_build.h"
#include "plain_loop.h"

namespace lookupffn::bench {
namespace {

class PlainLoop : public Contender {
 public:
  explicit PlainLoop(const Setting& setting) : setting_(setting) {
    const SyntheticLayer& from = setting.layer;
    const Workload& workload = from.workload;
    const size_t in = workload.block > 0 ? workload.block : workload.d;
    const size_t out = workload.block > 0 ? workload.block : workload.tables * workload.bits;
    weight_.resize(from.weight.size());
    for (size_t matrix = 0; matrix < from.weight.size(); matrix += in * out) {
      for (size_t i = 0; i < in; ++i) {
        for (size_t o = 0; o < out; ++o) weight_[matrix + i * out + o] = from.weight[matrix + o * in + i];
      }
    }
    layer_.d = static_cast<int>(workload.d);
    layer_.padded = static_cast<int>(workload.padded());
    layer_.tables = static_cast<int>(workload.tables);
    layer_.bits = static_cast<int>(workload.bits);
    layer_.block = static_cast<int>(workload.block);
    layer_.repeats = static_cast<int>(workload.repeats());
    layer_.decay = kDecay;
    layer_.layer_norm_eps = kLayerNormEps;
    layer_.gamma = from.gamma.data();
    layer_.beta = from.beta.data();
    layer_.projection_bias = from.projection_bias.data();
    layer_.table = from.table.data();
    layer_.bias = from.bias.data();
    layer_.weight = weight_.data();
    scratch_.resize(setting.threads * plain_scratch(&layer_));
    y_.resize(setting.largest_call * workload.d);
  }

  void run(Part, size_t first, size_t tokens) override {
    plain_forward(&layer_, &setting_.ring.x[first * layer_.d], y_.data(), static_cast<int>(tokens),
                  static_cast<int>(setting_.threads), scratch_.data());
  }

  std::vector<float> y(size_t tokens) const override { return {y_.begin(), y_.begin() + tokens * layer_.d}; }
  std::string isa() const override { return "native"; }
  std::string schedule() const override { return "-O3 -march=native"; }

 private:
  const Setting& setting_;
  PlainLayer layer_ = {};
  std::vector<float> weight_, scratch_, y_;
};

}  // namespace

ContenderKind plain_loop_contender() {
  return {"plain_loop",
          "whole layer, plain C++",
          Computes::kLookupFfn,
          {Part::kAll},
          false,
          "f32",
          native_build_missing(),
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> { return std::make_unique<PlainLoop>(setting); }};
}

}  // namespace lookupffn::bench
