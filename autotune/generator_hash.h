// Which generators a schedule was tuned with: part of a log's identity and of a record's provenance.
#ifndef LOOKUPFFN_GENERATOR_HASH_H
#define LOOKUPFFN_GENERATOR_HASH_H

#include <string>

namespace lookupffn {

// generator_sources_hash() of the kernel's generator that this program was built beside; "" for a kernel that
// has none. Of one kernel alone: what changes another's generator leaves this one's records as good as they
// were.
std::string generator_hash(const std::string& kernel);

}  // namespace lookupffn
#endif
