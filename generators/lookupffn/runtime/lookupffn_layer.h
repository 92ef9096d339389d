// A packed LookupFFN layer.
#ifndef LOOKUPFFN_LOOKUPFFN_LAYER_H
#define LOOKUPFFN_LOOKUPFFN_LAYER_H

#include <memory>

#include "kernel_choice.h"
#include "layer.h"
#include "packed_layer.h"

namespace lookupffn {

class LookupffnLayer final : public lookupffn_layer {
 public:
  // Throws Failure.
  LookupffnLayer(const ModelLayer& source, const LayerWeights& weights, const PackRequest& request);

  std::unique_ptr<const KernelSet> choose_kernels(lookupffn_kernels wanted) const override;
  PackedSizes sizes() const override;
  void forward(lookupffn_threads& threads, const InputRows& x, const OutputRows& y, size_t tokens) const override;
  void hash(lookupffn_threads& threads, const InputRows& x, int32_t* code, float* score, size_t tokens) const override;
  void gather(lookupffn_threads& threads, const int32_t* code, const float* score, const OutputRows& y,
              size_t tokens) const override;

  const KernelChoice& choice() const { return static_cast<const KernelChoice&>(*kernels); }

  const PackedLayer packed;
};

// A layer of a model file that is packed and run as a LookupFFN layer is, by its weights' rules.
class LookupffnModelLayer final : public ModelLayer {
 public:
  LookupffnModelLayer(const std::string& prefix, const LayerWeights& weights) : ModelLayer(prefix), weights_(weights) {
    set_shape(weights_.shape);
  }

  const LayerWeights& weights() const { return weights_; }
  std::unique_ptr<lookupffn_layer> pack(const PackRequest& request) const override;

 private:
  const LayerWeights weights_;
};

// The weights of such a layer. Throws Failure (LOOKUPFFN_INVALID_ARGUMENT) where it is another one.
const LayerWeights& weights_of(const ModelLayer& layer);

}  // namespace lookupffn
#endif
