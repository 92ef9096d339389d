#include "workload_kernels_of_build.h"

#ifdef LOOKUPFFN_WORKLOAD_KERNELS
#include <workload_kernels.h>
#endif

namespace lookupffn::bench {

lookupffn_status register_workload_kernels() {
#ifdef LOOKUPFFN_WORKLOAD_KERNELS
  return workload_kernels_register();
#else
  return LOOKUPFFN_OK;
#endif
}

}  // namespace lookupffn::bench
