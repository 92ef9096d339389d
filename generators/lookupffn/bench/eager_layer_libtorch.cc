// The whole layer in libtorch, one operation after another as a model in PyTorch runs it, and the gather alone, both with
// embedding_bag. As strong as eager torch lets it be: the Hadamard transform within a block is folded into the block, so that
// a BH4 stage is one batched product and one small product across blocks; or all of BH4 is folded into one matrix.
#include "compared_tables.h"
#include "libtorch_contender.h"
#include "lookupffn_formulas.h"

namespace lookupffn::bench {
namespace {

// [outputs, d_in]: what the projection, less its bias, makes of each unit vector.
torch::Tensor folded_into_one(const reference::Layer& layer) {
  const size_t d = layer.shape.d_in, outputs = layer.projection_bias.size();
  std::vector<double> units(d * d);
  for (size_t i = 0; i < d; ++i) units[i * d + i] = 1;
  const std::vector<double> columns = reference::projection(layer, units);
  torch::Tensor matrix = torch::empty({int64_t(outputs), int64_t(d)}, torch::kFloat32);
  float* const values = matrix.data_ptr<float>();
  for (size_t i = 0; i < d; ++i) {
    for (size_t o = 0; o < outputs; ++o) values[o * d + i] = float(columns[i * outputs + o] - double(layer.projection_bias[o]));
  }
  return matrix;
}

// [size, size] of +1 and -1
torch::Tensor hadamard_matrix(int64_t size) {
  torch::Tensor matrix = torch::empty({size, size}, torch::kFloat32);
  float* const values = matrix.data_ptr<float>();
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < size; ++j) values[i * size + j] = __builtin_parityll(uint64_t(i & j)) ? -1.0f : 1.0f;
  }
  return matrix;
}

class EagerLayer : public LibtorchContender {
 public:
  EagerLayer(const ComparedTables& compared, const Setting& setting, bool one_matrix) : LibtorchContender(setting) {
    const reference::Layer& from = compared.weights();
    shape_ = from.shape;
    zero_is_one_ = from.rules.zero_is_one;
    const int64_t d = int64_t(shape_.d_in), tables = int64_t(shape_.tables), rows = int64_t(shape_.rows);
    x_ = view_of(compared.ring.x, {int64_t(compared.ring.tokens), d});
    if (from.rules.layer_norm) {
      gamma_ = view_of(from.gamma, {d});
      beta_ = view_of(from.beta, {d});
    }
    if (from.rules.projection) projection_bias_ = view_of(from.projection_bias, {tables * int64_t(shape_.bits)});
    if (from.rules.projection && shape_.block == 0) {
      matrix_ = view_of(from.weight, {tables * int64_t(shape_.bits), d});
    } else if (one_matrix) {
      matrix_ = folded_into_one(from);
    } else if (from.rules.projection) {
      fold_blocks(from);
    }
    table_ = huge_table(compared.table(), size_t(tables * rows), shape_.d_out);
    bias_ = view_of(from.bias, {int64_t(shape_.d_out)});
    powers_ = torch::pow(2, torch::arange(int64_t(shape_.bits) - 1, -1, -1, torch::kInt64)).to(torch::kInt64);
    first_rows_ = torch::arange(0, tables * rows, rows, torch::kInt64);
    offsets_ = torch::arange(0, int64_t(setting.largest_call) * tables, tables, torch::kInt64);
  }

  void run(Part, size_t first, size_t tokens) override {
    const c10::InferenceMode no_gradients;
    constexpr int64_t kSum = 0;
    const int64_t n = int64_t(tokens), tables = int64_t(shape_.tables);
    torch::Tensor h = x_.narrow(0, int64_t(first), n);
    if (gamma_.defined()) h = at::layer_norm(h, {h.size(1)}, gamma_, beta_, shape_.layer_norm_eps);
    const torch::Tensor z = projected(h).view({n, tables, int64_t(shape_.bits)});
    const torch::Tensor index = ((zero_is_one_ ? z.ge(0) : z.gt(0)) * powers_).sum(-1) + first_rows_;
    const torch::Tensor size = z.abs();
    const torch::Tensor score = size.sum(-1) / (torch::exp(size * -2) + 1).prod(-1);
    y_ = std::get<0>(at::embedding_bag(table_, index.view(-1), offsets_.narrow(0, 0, n), false, kSum, false, score.view(-1)));
    y_.add_(bias_);
  }

 private:
  // [repeats * p/block, block (in), block (out)] for each stage: H_block W, transposed.
  void fold_blocks(const reference::Layer& from) {
    const size_t block = shape_.block, p = reference::padded_width(shape_), blocks = p / block;
    for (size_t stage = 0; stage < 4; ++stage) {
      torch::Tensor folded = torch::empty({int64_t(shape_.repeats * blocks), int64_t(block), int64_t(block)}, torch::kFloat32);
      float* to = folded.data_ptr<float>();
      for (size_t r = 0; r < shape_.repeats; ++r) {
        for (size_t b = 0; b < blocks; ++b) {
          const float* const w = &from.weight[((r * 4 + stage) * p + b * block) * block];
          for (size_t i = 0; i < block; ++i) {
            for (size_t o = 0; o < block; ++o) {
              double sum = 0;
              for (size_t k = 0; k < block; ++k) {
                const double value = w[k * block + i];
                sum += __builtin_parityll(o & k) ? -value : value;
              }
              *to++ = float(sum);
            }
          }
        }
      }
      stages_.push_back(folded);
    }
    across_ = hadamard_matrix(int64_t(blocks));
  }

  torch::Tensor projected(const torch::Tensor& h) const {
    if (!projection_bias_.defined()) return h;
    if (matrix_.defined()) return torch::linear(h, matrix_, projection_bias_);
    const int64_t n = h.size(0), repeats = int64_t(shape_.repeats), block = int64_t(shape_.block), blocks = across_.size(0);
    const int64_t p = blocks * block;
    const torch::Tensor padded = p == h.size(1) ? h : at::constant_pad_nd(h, {0, p - h.size(1)});
    // Block by block, [repeats * blocks, tokens, block], through all stages.
    torch::Tensor v = padded.view({n, blocks, block}).transpose(0, 1).repeat({repeats, 1, 1});
    for (const torch::Tensor& stage : stages_) {
      v = at::bmm(v, stage);
      v = at::matmul(across_, v.view({repeats, blocks, n * block})).view({repeats * blocks, n, block});
    }
    const torch::Tensor mixed = v.view({repeats, blocks, n, block}).permute({2, 0, 1, 3}).reshape({n, repeats, p});
    const torch::Tensor z = mixed * shape_.decay + padded.unsqueeze(1) * (1 - shape_.decay);
    return z.view({n, repeats * p}).narrow(1, 0, projection_bias_.size(0)) + projection_bias_;
  }

  lookupffn_shape shape_;
  bool zero_is_one_;
  torch::Tensor x_, gamma_, beta_, projection_bias_, matrix_, across_, table_, bias_, powers_, first_rows_, offsets_;
  std::vector<torch::Tensor> stages_;
};

// embedding_bag has no bias, so one more row with weight 1 is added for it. Indices are made beforehand and not timed.
std::unique_ptr<Contender> make_bags(const ComparedLayer& layer, const Setting& setting, Types) {
  const ComparedTables& compared = tables_of(layer);
  const reference::Layer& from = compared.weights();
  const reference::Input& ring = layer.ring;
  const size_t d = from.shape.d_out, rows = layer.all_rows(), lookups = layer.lookups(), bag = lookups + 1;
  const torch::Tensor table = huge_table(compared.table(), rows, d, 1);
  std::copy(from.bias.begin(), from.bias.end(), table.data_ptr<float>() + rows * d);
  torch::Tensor index = torch::empty({int64_t(ring.tokens * bag)}, torch::kInt64);
  torch::Tensor weight = torch::empty({int64_t(ring.tokens * bag)}, torch::kFloat32);
  auto* to_index = index.data_ptr<int64_t>();
  auto* to_weight = weight.data_ptr<float>();
  for (size_t n = 0; n < ring.tokens; ++n) {
    for (size_t k = 0; k < lookups; ++k) {
      *to_index++ = layer.picked_rows()[n * lookups + k];
      *to_weight++ = ring.score[n * lookups + k];
    }
    *to_index++ = int64_t(rows);
    *to_weight++ = 1;
  }
  return std::make_unique<LibtorchBags>(setting, table, index, weight, bag);
}

}  // namespace

ContenderKind libtorch_layer_contender() {
  return {"libtorch_layer",
          "whole layer, eager libtorch f32",
          ContenderKind::Computes::kLayer,
          {Part::kAll},
          "f32",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<EagerLayer>(tables_of(layer), setting, false);
          }};
}

ContenderKind libtorch_dense_layer_contender() {
  return {"libtorch_dense_layer",
          "whole layer, eager libtorch f32, BH4 as one matrix",
          ContenderKind::Computes::kLayer,
          {Part::kAll},
          "f32",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<EagerLayer>(tables_of(layer), setting, true);
          },
          has_bh4};
}

ContenderKind libtorch_bags_contender() {
  return {"embedding_bag", "gather, libtorch f32", ContenderKind::Computes::kLayer, {Part::kGather}, "f32", "", make_bags};
}

}  // namespace lookupffn::bench
