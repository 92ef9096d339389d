// The registry of weight types, for C.
#include "weight_types.h"

#include <cstring>
#include <iterator>

#include "failure.h"
#include "status.h"

using namespace lookupffn;

extern "C" {

size_t lookupffn_type_count(void) { return std::size(kWeightTypes); }

lookupffn_status lookupffn_type_at(size_t index, lookupffn_type_info* info) {
  return guard([&] {
    if (!info) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_type_at: info is NULL");
    if (index >= std::size(kWeightTypes)) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_type_at: index " + std::to_string(index) + " of " +
                                                    std::to_string(std::size(kWeightTypes)) + " types");
    }
    const WeightType& row = kWeightTypes[index];
    *info = {row.type, row.name, row.description, row.bits, row.for_tables, row.for_projections};
  });
}

const char* lookupffn_type_name(lookupffn_type type) {
  int number;  // C may pass any
  std::memcpy(&number, &type, sizeof number);
  const WeightType* row = find_weight_type(number);
  return row ? row->name : "unknown";
}

}  // extern "C"
