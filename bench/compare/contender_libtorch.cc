// libtorch: the dense feed-forward layer, and the gather as embedding_bag with a weight for each row.
#include <torch/torch.h>

#include "contender.h"

namespace lookupffn::bench {
namespace {

torch::Tensor view(const std::vector<float>& values, std::vector<int64_t> shape) {
  return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat32);  // torch only reads it
}

int64_t signed_of(size_t size) { return static_cast<int64_t>(size); }

std::vector<float> floats_of(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.contiguous();
  return {plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel()};
}

class Torch : public Contender {
 public:
  explicit Torch(const Setting& setting) : setting_(setting) { at::set_num_threads(static_cast<int>(setting.threads)); }
  std::vector<float> y(size_t) const override { return floats_of(y_); }
  std::string isa() const override { return "own choice"; }
  std::string schedule() const override { return "libtorch " TORCH_VERSION; }

 protected:
  const Setting& setting_;
  torch::Tensor y_;
};

class DenseTorch : public Torch {
 public:
  explicit DenseTorch(const Setting& setting) : Torch(setting) {
    const DenseFfn& ffn = setting.ffn;
    const int64_t d = signed_of(ffn.d), hidden = signed_of(ffn.hidden);
    w1_ = view(ffn.w1, {hidden, d});
    b1_ = view(ffn.b1, {hidden});
    w2_ = view(ffn.w2, {d, hidden});
    b2_ = view(ffn.b2, {d});
    x_ = view(setting.ring.x, {signed_of(setting.ring.tokens), d});
  }

  void run(Part, size_t first, size_t tokens) override {
    const c10::InferenceMode no_gradients;
    const torch::Tensor x = x_.narrow(0, signed_of(first), signed_of(tokens));
    y_ = torch::linear(torch::gelu(torch::linear(x, w1_, b1_)), w2_, b2_);
  }

 private:
  torch::Tensor w1_, b1_, w2_, b2_, x_;
};

// The tables as one embedding of tables * rows rows; their indices are made beforehand and not timed.
// embedding_bag has no bias, so one more row with weight 1 is added for it.
class EmbeddingBag : public Torch {
 public:
  explicit EmbeddingBag(const Setting& setting) : Torch(setting) {
    const Workload& workload = setting.layer.workload;
    const TokenRing& ring = setting.ring;
    const int64_t d = signed_of(workload.d), rows = signed_of(workload.tables * workload.rows());
    table_ = torch::cat({view(setting.layer.table, {rows, d}), view(setting.layer.bias, {1, d})});
    bag_ = signed_of(workload.tables) + 1;
    index_ = torch::empty({signed_of(ring.tokens) * bag_}, torch::kInt64);
    weight_ = torch::empty({signed_of(ring.tokens) * bag_}, torch::kFloat32);
    auto* index = index_.data_ptr<int64_t>();
    auto* weight = weight_.data_ptr<float>();
    for (size_t n = 0; n < ring.tokens; ++n) {
      for (size_t t = 0; t < workload.tables; ++t) {
        *index++ = signed_of(t * workload.rows()) + ring.code[n * workload.tables + t];
        *weight++ = ring.score[n * workload.tables + t];
      }
      *index++ = rows;
      *weight++ = 1;
    }
    offsets_ = torch::arange(0, signed_of(ring.tokens) * bag_, bag_, torch::kInt64);
  }

  void run(Part, size_t first, size_t tokens) override {
    constexpr int64_t kSum = 0;
    const c10::InferenceMode no_gradients;
    const int64_t from = signed_of(first) * bag_, count = signed_of(tokens) * bag_;
    y_ = std::get<0>(at::embedding_bag(table_, index_.narrow(0, from, count), offsets_.narrow(0, 0, signed_of(tokens)), false,
                                       kSum, false, weight_.narrow(0, from, count)));
  }

 private:
  torch::Tensor table_, index_, weight_, offsets_;
  int64_t bag_;
};

}  // namespace

ContenderKind libtorch_contender() {
  return {"libtorch",
          "dense FFN, libtorch f32",
          Computes::kDenseFfn,
          {Part::kAll},
          false,
          "f32",
          "",
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> { return std::make_unique<DenseTorch>(setting); }};
}

ContenderKind embedding_bag_contender() {
  return {"embedding_bag",
          "gather, libtorch f32",
          Computes::kLookupFfn,
          {Part::kGather},
          false,
          "f32",
          "",
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> { return std::make_unique<EmbeddingBag>(setting); }};
}

}  // namespace lookupffn::bench
