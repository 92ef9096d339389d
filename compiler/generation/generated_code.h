// What code the generator program emits now, for many kernels.
#ifndef LOOKUPFFN_GENERATED_CODE_H
#define LOOKUPFFN_GENERATED_CODE_H

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct ScheduledKernel {
  KernelSpec spec;
  Schedule schedule;
};

// Generates each, `jobs` at a time, in `directory`, which exists, and calls found(i, object) with the path of kernel i's
// object, which is removed afterwards, or with "" and an error of one line. found() is never called by two threads at once.
// Names do not depend on the order, so that LOOKUPFFN_KERNEL_CACHE holds the same kernels the next time.
void generate_each(const std::string& generator, const std::vector<ScheduledKernel>& kernels, const std::string& directory,
                   int jobs, const std::function<void(size_t i, const std::string& object, const std::string& error)>& found);

}  // namespace lookupffn
#endif
