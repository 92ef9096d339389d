// The dense network in libtorch, one operation after another as a model in PyTorch runs it.
#include "libtorch_contender.h"

namespace lookupffn::bench {
namespace {

class DenseLibtorch : public LibtorchContender {
 public:
  DenseLibtorch(const ComparedLayer& layer, const Setting& setting) : LibtorchContender(setting), name_(layer.dense.name()) {
    x_ = view_of(layer.ring.x, {int64_t(layer.ring.tokens), int64_t(layer.dense.d_in())});
    for (const DenseNetwork::Product& product : layer.dense.products) {
      weights_.push_back(view_of(product.w, {int64_t(product.out), int64_t(product.in)}));
      biases_.push_back(view_of(product.b, {int64_t(product.out)}));
    }
  }

  void run(Part, size_t first, size_t tokens) override {
    const c10::InferenceMode no_gradients;
    torch::Tensor values = x_.narrow(0, int64_t(first), int64_t(tokens));
    for (size_t k = 0; k < weights_.size(); ++k) {
      values = torch::linear(values, weights_[k], biases_[k]);
      if (k + 1 < weights_.size()) values = torch::gelu(values);
    }
    y_ = values;
  }

  std::string schedule() const override { return LibtorchContender::schedule() + ", " + name_; }

 private:
  const std::string name_;
  torch::Tensor x_;
  std::vector<torch::Tensor> weights_, biases_;
};

}  // namespace

ContenderKind libtorch_contender() {
  return {"libtorch",
          "dense network, eager libtorch f32",
          ContenderKind::Computes::kDense,
          {Part::kAll},
          "f32",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<DenseLibtorch>(layer, setting);
          }};
}

}  // namespace lookupffn::bench
