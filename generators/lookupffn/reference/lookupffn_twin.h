// The twin of a LookupFFN layer, or of one that is packed and run like it.
#ifndef LOOKUPFFN_LOOKUPFFN_TWIN_H
#define LOOKUPFFN_LOOKUPFFN_TWIN_H

#include <memory>
#include <string>

#include "reference/reference_family.h"

namespace lookupffn::reference {

// See ReferenceFamily.
std::unique_ptr<Twin> packed_twin(const ModelLayer& source, lookupffn_type table_type, lookupffn_type projection_type);
Stage packed_stage(const std::string& kernel);

}  // namespace lookupffn::reference
#endif
