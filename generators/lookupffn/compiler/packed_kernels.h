// The kernels of a packed layer.
#ifndef LOOKUPFFN_PACKED_KERNELS_H
#define LOOKUPFFN_PACKED_KERNELS_H

#include <string>
#include <vector>

#include "kernel_spec.h"
#include "packed_shape.h"
#include "schedule_spaces.h"

namespace lookupffn {

// The specs of its hash (of each size of call that the layer is split into) and gather for every batch class of their spaces.
// Their problems are those of the packed layer.
std::vector<KernelSpec> packed_kernels(const ScheduleSpaces& spaces, const PackedShape& packed, const std::string& isa,
                                       const std::string& table_type, const std::string& projection_type);

}  // namespace lookupffn
#endif
