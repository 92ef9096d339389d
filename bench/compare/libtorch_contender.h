// What the contenders that run on libtorch share.
#ifndef LOOKUPFFN_BENCH_LIBTORCH_CONTENDER_H
#define LOOKUPFFN_BENCH_LIBTORCH_CONTENDER_H

#include <torch/torch.h>

#include <cstring>
#include <memory>

#include "contender.h"
#include "row_reads.h"

namespace lookupffn::bench {

// Of values that outlive it and that torch only reads.
inline torch::Tensor view_of(const std::vector<float>& values, const std::vector<int64_t>& shape) {
  return torch::from_blob(const_cast<float*>(values.data()), shape, torch::kFloat32);
}

// Rows of floats in huge pages, as this library keeps its tables: [rows, d] and room for `spare` rows more, of zeros.
inline torch::Tensor huge_table(const float* values, size_t rows, size_t d, size_t spare = 0) {
  const auto buffer = std::make_shared<HugeBuffer>((rows + spare) * d * sizeof(float));
  float* const to = reinterpret_cast<float*>(const_cast<char*>(buffer->data()));
  std::memcpy(to, values, rows * d * sizeof(float));
  return torch::from_blob(
      to, {int64_t(rows + spare), int64_t(d)}, [buffer](void*) {}, torch::kFloat32);
}

class LibtorchContender : public Contender {
 public:
  explicit LibtorchContender(const Setting& setting) { at::set_num_threads(static_cast<int>(setting.threads)); }
  std::vector<float> y(size_t) const override {
    const torch::Tensor plain = y_.contiguous();
    return {plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel()};
  }
  std::string isa() const override { return "own choice"; }
  std::string schedule() const override { return "libtorch " TORCH_VERSION ", eager"; }

 protected:
  torch::Tensor y_;
};

// Sums of a table's rows, of bags of one size: index and, unless it is not defined, weight are [inputs * bag].
class LibtorchBags : public LibtorchContender {
 public:
  LibtorchBags(const Setting& setting, torch::Tensor table, torch::Tensor index, torch::Tensor weight, size_t bag)
      : LibtorchContender(setting),
        table_(std::move(table)),
        index_(std::move(index)),
        weight_(std::move(weight)),
        offsets_(torch::arange(0, int64_t(setting.largest_call * bag), int64_t(bag), torch::kInt64)),
        bag_(int64_t(bag)) {}

  void run(Part, size_t first, size_t tokens) override {
    constexpr int64_t kSum = 0;
    const c10::InferenceMode no_gradients;
    const int64_t from = int64_t(first) * bag_, count = int64_t(tokens) * bag_;
    c10::optional<torch::Tensor> weight;
    if (weight_.defined()) weight = weight_.narrow(0, from, count);
    y_ = std::get<0>(at::embedding_bag(table_, index_.narrow(0, from, count), offsets_.narrow(0, 0, int64_t(tokens)), false,
                                       kSum, false, weight));
  }

 private:
  torch::Tensor table_, index_, weight_, offsets_;
  int64_t bag_;
};

}  // namespace lookupffn::bench
#endif
