// A packed embedding bag.
#ifndef LOOKUPFFN_EMBEDDING_BAG_LAYER_H
#define LOOKUPFFN_EMBEDDING_BAG_LAYER_H

#include <memory>

#include "embedding_bag_kernels.h"
#include "embedding_bag_model_file.h"
#include "huge_memory.h"
#include "layer.h"
#include "row_format.h"

namespace lookupffn {

class EmbeddingBagLayer final : public lookupffn_layer {
 public:
  // Throws Failure.
  EmbeddingBagLayer(const ModelLayer& source, const BagWeights& weights, const PackRequest& request);

  std::unique_ptr<const KernelSet> choose_kernels(lookupffn_kernels wanted) const override;
  PackedSizes sizes() const override;
  void forward_ids(lookupffn_threads& threads, const IdBags& bags, const OutputRows& y) const override;

 private:
  class Run;

  const BagKernels& choice() const { return static_cast<const BagKernels&>(*kernels); }
  void pack(const BagWeights& weights);

  const size_t row_;  // floats that a packed row stands for
  const RowFormat format_;
  size_t table_bytes_ = 0;  // rows and scales
  HugeMemory memory_;
  float* scales_ = nullptr;  // [rows], of types with scales
};

// The weights of a layer of a model file. Throws Failure (LOOKUPFFN_INVALID_ARGUMENT) where it is of another family.
const BagWeights& bag_weights_of(const ModelLayer& layer);

}  // namespace lookupffn
#endif
