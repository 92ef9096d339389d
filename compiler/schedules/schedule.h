// The schedule parameters that a kernel is generated with.
#ifndef LOOKUPFFN_SCHEDULE_H
#define LOOKUPFFN_SCHEDULE_H

#include <map>
#include <string>

#include "kernel_spec.h"

namespace lookupffn {

// Parameter name to value. Its text is canonical_text(schedule), and parse_pairs(text) gives it back.
using Schedule = std::map<std::string, std::string>;

}  // namespace lookupffn
#endif
