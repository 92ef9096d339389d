// libtorch's own embedding_bag, on the same table in huge pages.
#include "bag_work.h"
#include "embedding_bag_compared.h"
#include "libtorch_contender.h"

namespace lookupffn::bench {

ContenderKind libtorch_embedding_bag_contender() {
  return {"embedding_bag",
          "whole layer, libtorch's embedding_bag",
          ContenderKind::Computes::kLayer,
          {Part::kAll},
          "f32",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            const auto rows = int64_t(layer.shape.rows), d_out = int64_t(layer.shape.d_out);
            const torch::Tensor table =
                torch::from_blob(const_cast<float*>(bags_of(layer).table()), {rows, d_out}, torch::kFloat32);
            const torch::Tensor index =
                torch::from_blob(const_cast<int64_t*>(layer.ring.ids.data()), {int64_t(layer.ring.ids.size())}, torch::kInt64);
            return std::make_unique<LibtorchBags>(setting, table, index, torch::Tensor(), kIdsOfBag);
          }};
}

}  // namespace lookupffn::bench
