// Judging an embedding bag by a file's inputs and expected results.
#ifndef LOOKUPFFN_EMBEDDING_BAG_VERIFY_H
#define LOOKUPFFN_EMBEDDING_BAG_VERIFY_H

#include "reference/reference_family.h"

namespace lookupffn::reference {

// See ReferenceFamily.
bool embedding_bag_expects(const SafetensorsFile& io, const ModelLayer& source);
Verification verify_embedding_bag(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                                  lookupffn_threads& threads);

}  // namespace lookupffn::reference
#endif
