// One LookupFFN layer, or one that is packed and run like it, as it stands in a model file: its shape and views of its tensors.
#ifndef LOOKUPFFN_LAYER_WEIGHTS_H
#define LOOKUPFFN_LAYER_WEIGHTS_H

#include "lookupffn/lookupffn.h"
#include "packed_shape.h"
#include "tensor_view.h"

namespace lookupffn {

struct LayerWeights {
  lookupffn_shape shape;         // shape.prefix points into the model
  HashRules rules;               // a view of what there is not is empty
  TensorView layer_norm_weight;  // gamma [d_in]
  TensorView layer_norm_bias;    // beta  [d_in]
  TensorView projection_weight;  // dense: [tables*bits, d_in]; BH4: [repeats, 4, p/block, block, block]
  TensorView projection_bias;    // [tables*bits]
  TensorView tables;             // [tables, rows, d_out], or the same values as [tables * rows, d_out]
  TensorView bias;               // [d_out]
};

}  // namespace lookupffn
#endif
