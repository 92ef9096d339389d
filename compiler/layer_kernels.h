// Which kernels a layer needs.
#ifndef LOOKUPFFN_LAYER_KERNELS_H
#define LOOKUPFFN_LAYER_KERNELS_H

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule_spaces.h"

namespace lookupffn {

struct LayerShape {
  std::string projection = "bh4";  // "bh4" or "dense"
  int64_t d_in = 0, d_out = 0;
  int64_t tables = 0, bits = 0;
  int64_t block = 0, repeats = 0;  // BH4; dense: 0

  bool operator<(const LayerShape& other) const;
  bool operator==(const LayerShape& other) const;
};

// The least power of two that is at least d_in: what BH4 pads its input to.
int64_t padded_size(int64_t d_in);

// From "d_in=512 d_out=512 tables=128 bits=8 block=64 projection=bh4": d_out is d_in, bits is 8, block is 64
// (or the padded size where that is less) and projection is bh4 where not given; repeats follows from the
// others. Throws std::runtime_error naming what is missing, unknown or out of range.
LayerShape parse_layer_shape(const std::string& text);

// "d_in=512 d_out=512 tables=128 bits=8 projection=bh4 block=64", which parse_layer_shape reads.
std::string describe(const LayerShape& shape);

const std::vector<std::string>& table_types();       // registry/weight_types.def
const std::vector<std::string>& projection_types();  // likewise

// Specs of the specialised kernels of a layer, each once: hash (of each size of call that it is split into) and
// gather, for every batch class of their spaces. Their problems are those of the packed layer (runtime/src/packed_shape.h).
std::vector<KernelSpec> layer_kernels(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                      const std::string& table_type, const std::string& projection_type);

}  // namespace lookupffn
#endif
