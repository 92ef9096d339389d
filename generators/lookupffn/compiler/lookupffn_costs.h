// What the kernels of a LookupFFN layer do for a token, and what that should cost.
#ifndef LOOKUPFFN_LOOKUPFFN_COSTS_H
#define LOOKUPFFN_LOOKUPFFN_COSTS_H

#include "kernel_description.h"

namespace lookupffn {

LayerWork lookupffn_work(const TypedShape& layer);

// Estimates, see KernelDescription::cost.
double hash_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);
double gather_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);

// See KernelDescription::loop_nest.
LoopNest hash_loop_nest(const KernelSpec& spec, const Schedule& schedule, double tokens);
LoopNest gather_loop_nest(const KernelSpec& spec, const Schedule& schedule, double tokens);

}  // namespace lookupffn
#endif
