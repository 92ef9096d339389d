// The bag that an embedding bag's work is counted for and that its speed is measured with. Header only.
#ifndef LOOKUPFFN_BAG_WORK_H
#define LOOKUPFFN_BAG_WORK_H

#include <cstddef>

namespace lookupffn {

// Its ids. How many a bag has is the caller's to say, call by call; where times and work meet they must mean the same.
constexpr size_t kIdsOfBag = 20;

}  // namespace lookupffn
#endif
