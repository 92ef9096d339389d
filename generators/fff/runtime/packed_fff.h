// A fast feed-forward layer's weights as its kernels read them.
#ifndef LOOKUPFFN_PACKED_FFF_H
#define LOOKUPFFN_PACKED_FFF_H

#include <cstddef>

#include "fff_model_file.h"
#include "fff_shape.h"
#include "huge_memory.h"

namespace lookupffn {

// Rows are padded with zeros as fff_shape.h says. Readable memory of 256 bytes is behind each part.
struct PackedFff {
  FffShape shape;
  bool zero_right, gelu;

  HugeMemory memory;               // of all parts
  float *node_weight, *node_bias;  // [trees, nodes, in], [trees, nodes]
  float* rows;                     // [trees, nodes, out]
  float *w1, *b1, *w2,
      *b2;                         // [leaves, d_in, hidden_row], [leaves, hidden_row], [leaves, hidden, out], [leaves, out]
  size_t table_bytes, node_bytes;  // what a token's rows, and its logits, are read from
};

// Throws Failure. The weights' views need to be valid during the call only.
PackedFff pack_fff(const FffWeights& weights, lookupffn_type table_type);

}  // namespace lookupffn
#endif
