// Judging a LookupFFN layer, or one that is packed and run like it, by a file's inputs and expected results.
#ifndef LOOKUPFFN_LOOKUPFFN_VERIFY_H
#define LOOKUPFFN_LOOKUPFFN_VERIFY_H

#include <string>
#include <vector>

#include "reference/reference_family.h"

namespace lookupffn::reference {

// Where a file holds them. z may be missing.
struct CaseTensors {
  std::string x, z, code, score, y;
};

Verification verify_packed(const SafetensorsFile& io, const CaseTensors& tensors, const ModelLayer& source,
                           const lookupffn_layer& layer, lookupffn_threads& threads);
// The same with rows of x [tokens, d_in] that no tensor has; tensors.x is not looked at.
Verification verify_packed(const SafetensorsFile& io, const CaseTensors& tensors, const std::vector<float>& x,
                           const ModelLayer& source, const lookupffn_layer& layer, lookupffn_threads& threads);

// See ReferenceFamily.
bool lookupffn_expects(const SafetensorsFile& io, const ModelLayer& source);
Verification verify_lookupffn(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                              lookupffn_threads& threads);

}  // namespace lookupffn::reference
#endif
