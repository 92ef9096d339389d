// What tells MemoryFormer's hash from LookupFFN's. Header only: the kernel compiler uses it too.
#ifndef LOOKUPFFN_MEMORYFORMER_RULES_H
#define LOOKUPFFN_MEMORYFORMER_RULES_H

#include "packed_shape.h"

namespace lookupffn {

inline HashRules memoryformer_rules(bool projection) {
  HashRules rules;
  rules.layer_norm = false;
  rules.projection = projection;
  rules.zero_is_one = true;
  return rules;
}

}  // namespace lookupffn
#endif
