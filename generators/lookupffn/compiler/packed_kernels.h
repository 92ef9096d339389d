// The kernels of a packed layer.
#ifndef LOOKUPFFN_PACKED_KERNELS_H
#define LOOKUPFFN_PACKED_KERNELS_H

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_description.h"
#include "kernel_spec.h"
#include "packed_shape.h"
#include "schedule_spaces.h"

namespace lookupffn {

// The specs of its hash (of each size of call that the layer is split into) and gather for every batch class of their spaces.
// Their problems are those of the packed layer.
std::vector<KernelSpec> packed_kernels(const ScheduleSpaces& spaces, const PackedShape& packed, const std::string& isa,
                                       const std::string& table_type, const std::string& projection_type);

// See KernelDescription: the smallest layer that calls a hash, its tables with rows of one float and of LookupFFN's family, and
// whether its projection has offsets that need 64 bits.
TypedShape packed_layer_of_hash(const KernelSpec& spec);
bool hash_is_large(const KernelSpec& spec);

// Bytes of a buffer whose offsets need 64 bits.
constexpr double kLargeBuffer = double(uint64_t{1} << 31);

}  // namespace lookupffn
#endif
