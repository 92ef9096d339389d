#include "runtime_family.h"

#include <stdexcept>

#define LOOKUPFFN_FAMILY_TYPE RuntimeFamily
#define LOOKUPFFN_FAMILY_OBJECT(name) name##_runtime_family

namespace lookupffn {

#include "family_list.inc"

const std::vector<const RuntimeFamily*>& runtime_families() { return all_families(); }

}  // namespace lookupffn
