#include "reference/reference_family.h"

#include <stdexcept>

#define LOOKUPFFN_FAMILY_TYPE ReferenceFamily
#define LOOKUPFFN_FAMILY_OBJECT(name) name##_reference_family

namespace lookupffn::reference {

#include "family_list.inc"

const ReferenceFamily& reference_family(const std::string& name) { return family_named(name); }

}  // namespace lookupffn::reference
