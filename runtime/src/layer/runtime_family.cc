#include "runtime_family.h"

namespace lookupffn {

#define LOOKUPFFN_FAMILY(name, description) extern const RuntimeFamily name##_runtime_family;
#include "families.def"
#undef LOOKUPFFN_FAMILY

const std::vector<const RuntimeFamily*>& runtime_families() {
  static const std::vector<const RuntimeFamily*> families = {
#define LOOKUPFFN_FAMILY(name, description) &name##_runtime_family,
#include "families.def"
#undef LOOKUPFFN_FAMILY
  };
  return families;
}

}  // namespace lookupffn
