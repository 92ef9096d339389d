// Judging a LookupFFN layer by a file's inputs and expected results.
#ifndef LOOKUPFFN_LOOKUPFFN_VERIFY_H
#define LOOKUPFFN_LOOKUPFFN_VERIFY_H

#include "reference/reference_family.h"

namespace lookupffn::reference {

// See ReferenceFamily.
bool lookupffn_expects(const SafetensorsFile& io, const ModelLayer& source);
Verification verify_lookupffn(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                              lookupffn_threads& threads);

}  // namespace lookupffn::reference
#endif
