// What the kernels of a fast feed-forward layer should cost. Estimates, see KernelDescription::cost.
#ifndef LOOKUPFFN_FFF_COSTS_H
#define LOOKUPFFN_FFF_COSTS_H

#include "kernel_description.h"

namespace lookupffn {

double fff_descent_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);
double fff_rows_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);
double fff_leaf_product_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);

}  // namespace lookupffn
#endif
