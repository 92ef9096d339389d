// A layer's weights as the kernels read them.
#ifndef LOOKUPFFN_PACKED_LAYER_H
#define LOOKUPFFN_PACKED_LAYER_H

#include <cstddef>

#include "huge_memory.h"
#include "layer_weights.h"
#include "lookupffn/lookupffn.h"
#include "packed_shape.h"

namespace lookupffn {

struct PackedLayer {
  PackedShape shape;
  lookupffn_type table_type, projection_type;
  float eps;   // of LayerNorm
  float skip;  // BH4: 1 - decay; dense: 0

  HugeMemory gamma, beta;  // float [input()]
  HugeMemory projection;   // float or bf16 [panel, in, block]; BH4: panel = (repeat * 4 + stage) * panels + block number,
                           // with the Hadamard transform within a block folded in, and decay into the last stage
  HugeMemory offset;       // float [>= outputs]: the projection's bias, zero from tables * bits on
  HugeMemory tables;       // float, bf16 or int8 [tables, rows, row]
  HugeMemory scales;       // float [tables, rows] for i8 tables, else empty
  HugeMemory bias;         // float [row]

  size_t bytes() const;
  size_t huge_page_bytes() const;
};

// Throws Failure. The weights' views need to be valid during the call only.
PackedLayer pack_layer(const LayerWeights& weights, lookupffn_type table_type, lookupffn_type projection_type);

// What decides the packed shape of a layer.
LayerExtents layer_extents(const lookupffn_shape& shape);

}  // namespace lookupffn
#endif
