// A LookupFFN layer, or one that is packed and run like it, as plain vectors: what the reference computes with and tests make
// up.
#ifndef LOOKUPFFN_PLAIN_LAYER_H
#define LOOKUPFFN_PLAIN_LAYER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "layer_weights.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn::reference {

struct Layer {
  lookupffn_shape shape;               // prefix is ""
  HashRules rules{};                   // what there is not is empty
  std::vector<float> gamma, beta;      // [d_in]
  std::vector<float> weight;           // dense: [tables*bits, d_in]; BH4: [repeats, 4, p/block, block, block]
  std::vector<float> projection_bias;  // [tables*bits]
  std::vector<float> table;            // [tables, rows, d_out]
  std::vector<float> bias;             // [d_out]
};

// Shapes with what follows from the sizes filled in; decay 0.7 (BH4), layer_norm_eps 1e-5.
lookupffn_shape dense_shape(size_t d_in, size_t d_out, size_t tables, size_t bits);
lookupffn_shape bh4_shape(size_t d_in, size_t d_out, size_t tables, size_t bits, size_t block);
// Without a projection: d_in = tables * bits.
lookupffn_shape unprojected_shape(size_t d_out, size_t tables, size_t bits);

// p: d_in rounded up to a power of two.
size_t padded_width(const lookupffn_shape& shape);

// The weights of a layer of a model, widened to float.
Layer layer_from(const LayerWeights& weights);

// A layer with magnitudes like a trained one's: z, and therefore the scores, of order 1, tables of order
// 0.1. The same seed makes the same layer on every machine.
Layer random_layer(const lookupffn_shape& shape, uint64_t seed, const HashRules& rules = {});

// The layer as the bytes of a model file, for lookupffn_model_open_memory. F16 and BF16 round the values:
// take the reference from the model then (layer_from), not from `layer`. A layer without LayerNorm has 2-d tables.
std::vector<uint8_t> model_bytes(const Layer& layer, const std::string& prefix, ElementType type);

// The same of several layers in one file. Their decay, layer_norm_eps and, without a projection, bits must be the first one's.
struct NamedLayer {
  std::string prefix;
  const Layer* layer;
};
std::vector<uint8_t> model_bytes(const std::vector<NamedLayer>& layers, ElementType type);

}  // namespace lookupffn::reference
#endif
