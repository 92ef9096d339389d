#include "compiler_family.h"

#include <stdexcept>

#define LOOKUPFFN_FAMILY_TYPE CompilerFamily
#define LOOKUPFFN_FAMILY_OBJECT(name) name##_compiler_family

namespace lookupffn {

#include "family_list.inc"

const std::vector<const CompilerFamily*>& compiler_families() { return all_families(); }

const CompilerFamily& compiler_family(const std::string& name) { return family_named(name); }

}  // namespace lookupffn
