// One LookupFFN layer as it stands in a model file: its shape and views of its six tensors.
#ifndef LOOKUPFFN_LAYER_WEIGHTS_H
#define LOOKUPFFN_LAYER_WEIGHTS_H

#include "lookupffn/lookupffn.h"
#include "tensor_view.h"

namespace lookupffn {

struct LayerWeights {
  lookupffn_shape shape;         // shape.prefix points into the model
  TensorView layer_norm_weight;  // gamma [d_in]
  TensorView layer_norm_bias;    // beta  [d_in]
  TensorView projection_weight;  // dense: [tables*bits, d_in]; BH4: [repeats, 4, p/block, block, block]
  TensorView projection_bias;    // [tables*bits]
  TensorView tables;             // [tables, rows, d_out]
  TensorView bias;               // [d_out]
};

}  // namespace lookupffn
#endif
