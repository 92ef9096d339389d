#include "reference/reference_family.h"

#include <stdexcept>

namespace lookupffn::reference {

#define LOOKUPFFN_FAMILY(name, description) extern const ReferenceFamily name##_reference_family;
#include "families.def"
#undef LOOKUPFFN_FAMILY

const std::vector<const ReferenceFamily*>& reference_families() {
  static const std::vector<const ReferenceFamily*> families = {
#define LOOKUPFFN_FAMILY(name, description) &name##_reference_family,
#include "families.def"
#undef LOOKUPFFN_FAMILY
  };
  return families;
}

const ReferenceFamily& reference_family(const std::string& name) {
  std::string names;
  for (const ReferenceFamily* family : reference_families()) {
    if (name == family->name) return *family;
    names += (names.empty() ? "" : ", ") + std::string(family->name);
  }
  throw std::runtime_error("there is no family '" + name + "'; there are " + names);
}

}  // namespace lookupffn::reference
