// A layer's weights as the kernels read them.
#ifndef LOOKUPFFN_PACKED_LAYER_H
#define LOOKUPFFN_PACKED_LAYER_H

#include <cstddef>
#include <string>

#include "fast_pages.h"
#include "huge_memory.h"
#include "layer_weights.h"
#include "lookupffn/lookupffn.h"
#include "packed_shape.h"
#include "row_format.h"

namespace lookupffn {

// Part of a layer's memory: 64-byte aligned, with at least 256 readable bytes behind it.
struct PackedPart {
  void* start = nullptr;
  size_t size = 0;

  void* data() const { return start; }
  size_t bytes() const { return size; }
};

struct PackedLayer {
  PackedShape shape;
  lookupffn_type table_type, projection_type;
  RowFormat rows;  // of the tables
  float eps = 0;   // of LayerNorm
  float skip = 0;  // BH4: 1 - decay; dense: 0

  // Empty until they are packed.
  HugeMemory memory;        // of all parts, so that small ones are on huge pages too
  PackedPart gamma, beta;   // float [input()]; empty without LayerNorm
  PackedPart projection;    // empty without a projection; float [panel, in, block], or words [panel, parts * in / 2, block]
                            // of two bf16, see bf16_place(); BH4: panel = (repeat * 4 + stage) * panels + block number, with
                            // the Hadamard transform within a block folded in, and decay into the last stage
  PackedPart offset;        // float [>= outputs]: the projection's bias, zero from tables * bits on
  PackedPart tables;        // [tables, rows, row], as `rows` says
  PackedPart scales;        // float [tables, rows] for types with scales, else empty
  PackedPart bias;          // float [row]
  PageChoice weight_pages;  // of `projection`

  // Nothing is packed yet.
  PackedLayer(const PackedShape& of_shape, lookupffn_type of_tables, lookupffn_type of_projection)
      : shape(of_shape), table_type(of_tables), projection_type(of_projection), rows(row_format(weight_type(of_tables).name)) {}

  // How many bf16 a weight of the projection is the sum of; 0: it is a float.
  size_t weight_parts() const { return size_t(weight_type(projection_type).parts); }

  // Of a packed row of a table.
  size_t row_bytes() const { return rows.bytes(shape.row); }

  // 32-bit words that one output of a panel has in `projection`.
  size_t panel_words() const {
    return weight_parts() > 0 ? weight_parts() * ((shape.panel_inputs() + 1) / 2) : shape.panel_inputs();
  }
};

// Throws Failure. The weights' views need to be valid during the call only.
PackedLayer pack_layer(const LayerWeights& weights, const std::string& isa, lookupffn_type table_type,
                       lookupffn_type projection_type);

// What decides the packed shape of a layer.
LayerExtents layer_extents(const lookupffn_shape& shape, const HashRules& rules);

}  // namespace lookupffn
#endif
