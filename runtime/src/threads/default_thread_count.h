// How many threads this process may use. The compiler's programs have it too, without the rest of the runtime.
#ifndef LOOKUPFFN_DEFAULT_THREAD_COUNT_H
#define LOOKUPFFN_DEFAULT_THREAD_COUNT_H

#include <cstddef>

namespace lookupffn {

// The CPUs of the affinity mask, limited by the quota of this process's cgroup and of those above it, rounded up; 1 at least.
// Where memory is too short to read the quota, the mask alone decides.
size_t default_thread_count() noexcept;

}  // namespace lookupffn
#endif
