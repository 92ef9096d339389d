#include "compiler_family.h"

#include <stdexcept>

namespace lookupffn {

#define LOOKUPFFN_FAMILY(name, description) extern const CompilerFamily name##_compiler_family;
#include "families.def"
#undef LOOKUPFFN_FAMILY

const std::vector<const CompilerFamily*>& compiler_families() {
  static const std::vector<const CompilerFamily*> families = {
#define LOOKUPFFN_FAMILY(name, description) &name##_compiler_family,
#include "families.def"
#undef LOOKUPFFN_FAMILY
  };
  return families;
}

const CompilerFamily& compiler_family(const std::string& name) {
  std::string names;
  for (const CompilerFamily* family : compiler_families()) {
    if (name == family->name) return *family;
    names += (names.empty() ? "" : ", ") + std::string(family->name);
  }
  throw std::runtime_error("there is no family '" + name + "'; there are " + names);
}

}  // namespace lookupffn
