// The kernels of LookupFFN's training steps that are tuned.
#ifndef LOOKUPFFN_TRAINING_STEP_KERNELS_H
#define LOOKUPFFN_TRAINING_STEP_KERNELS_H

#include <vector>

#include "kernel_description.h"

namespace lookupffn {

std::vector<KernelDescription> training_step_kernels();

}  // namespace lookupffn
#endif
