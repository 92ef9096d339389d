// Where programs can start no threads (WebAssembly), however many CPUs there are.
#include "default_thread_count.h"

namespace lookupffn {

size_t default_thread_count() noexcept { return 1; }

}  // namespace lookupffn
