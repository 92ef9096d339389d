// The whole layer in straightforward C++, -O3 -march=native (plain_loop_native.cc), tokens in parallel by OpenMP.
#include "compared_tables.h"
#include "plain_loop.h"

namespace lookupffn::bench {
namespace {

const float* pointer(const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); }

class PlainLoop : public Contender {
 public:
  PlainLoop(const ComparedTables& compared, const Setting& setting) : x_(compared.ring.x), threads_(setting.threads) {
    const reference::Layer& from = compared.weights();
    const lookupffn_shape& shape = from.shape;
    const size_t in = shape.block > 0 ? shape.block : shape.d_in;
    const size_t out = shape.block > 0 ? shape.block : shape.tables * shape.bits;
    weight_.resize(from.weight.size());
    for (size_t matrix = 0; matrix < from.weight.size(); matrix += in * out) {
      for (size_t i = 0; i < in; ++i) {
        for (size_t o = 0; o < out; ++o) weight_[matrix + i * out + o] = from.weight[matrix + o * in + i];
      }
    }
    layer_.d = static_cast<int>(shape.d_in);
    layer_.d_out = static_cast<int>(shape.d_out);
    layer_.padded = static_cast<int>(reference::padded_width(shape));
    layer_.tables = static_cast<int>(shape.tables);
    layer_.bits = static_cast<int>(shape.bits);
    layer_.block = static_cast<int>(shape.block);
    layer_.repeats = static_cast<int>(shape.repeats);
    layer_.zero_is_one = from.rules.zero_is_one;
    layer_.decay = shape.decay;
    layer_.layer_norm_eps = shape.layer_norm_eps;
    layer_.gamma = pointer(from.gamma);
    layer_.beta = pointer(from.beta);
    layer_.projection_bias = pointer(from.projection_bias);
    layer_.table = compared.table();
    layer_.bias = from.bias.data();
    layer_.weight = pointer(weight_);
    scratch_.resize(setting.threads * size_t(plain_scratch(&layer_)));
    y_.resize(setting.largest_call * shape.d_out);
  }

  void run(Part, size_t first, size_t tokens) override {
    plain_forward(&layer_, &x_[first * size_t(layer_.d)], y_.data(), static_cast<int>(tokens), static_cast<int>(threads_),
                  scratch_.data());
  }

  std::vector<float> y(size_t tokens) const override { return {y_.begin(), y_.begin() + ptrdiff_t(tokens) * layer_.d_out}; }
  std::string isa() const override { return "native"; }
  std::string schedule() const override { return "-O3 -march=native"; }

 private:
  const std::vector<float>& x_;
  const size_t threads_;
  PlainLayer layer_ = {};
  std::vector<float> weight_, scratch_, y_;
};

}  // namespace

ContenderKind plain_loop_contender() {
  return plain_contender([](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
    return std::make_unique<PlainLoop>(tables_of(layer), setting);
  });
}

}  // namespace lookupffn::bench
