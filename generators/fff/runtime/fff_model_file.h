// A fast feed-forward layer's part of a model file.
#ifndef LOOKUPFFN_FFF_MODEL_FILE_H
#define LOOKUPFFN_FFF_MODEL_FILE_H

#include <string>
#include <vector>

#include "fff_shape.h"
#include "lookupffn/lookupffn.h"
#include "runtime_family.h"
#include "safetensors.h"
#include "tensor_view.h"

namespace lookupffn {

struct FffWeights {
  lookupffn_shape shape;   // shape.prefix is not set
  bool zero_right;         // where a logit of zero leads
  TensorView node_weight;  // [trees nodes, d_in]
  bool has_node_bias;
  TensorView node_bias;  // [trees nodes]
  // Nodes with rows.
  TensorView rows;        // [trees nodes, d_out], or
  bool rows_are_columns;  // [d_out, trees nodes]
  // Leaves with a network.
  bool gelu;  // in place of relu
  TensorView w1, b1, w2,
      b2;  // [leaves, d_in, hidden], [leaves, hidden], [leaves, hidden, d_out], [leaves, d_out]
};

// The weights of a layer of a model file. Throws Failure (LOOKUPFFN_INVALID_ARGUMENT) where it is of another
// family.
const FffWeights& fff_weights_of(const ModelLayer& layer);

FffShape fff_shape(const lookupffn_shape& shape);

// A layer is there wherever PREFIX"linear_in.weight" (with PREFIX"linear_out.weight"), PREFIX"node_weights",
// or PREFIX"w1s" is; PREFIX is empty or ends with a dot.
std::vector<std::string> find_fff_layers(const SafetensorsFile& file);

// Checks all of the layer's tensors. Throws Failure LOOKUPFFN_MALFORMED_MODEL with file, tensor and reason.
FffWeights read_fff_layer(const SafetensorsFile& file, const std::string& prefix);

}  // namespace lookupffn
#endif
