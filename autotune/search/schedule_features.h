// A kernel with a schedule as numbers that mean the same for all kernels, shapes, types and ISAs.
#ifndef LOOKUPFFN_SCHEDULE_FEATURES_H
#define LOOKUPFFN_SCHEDULE_FEATURES_H

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "kernel_description.h"

namespace lookupffn {

// By name; what is not there is 0. Three kinds:
// - of the loop nest that the kernel's family counts (LoopNest): logarithms of counts and bytes, live registers by those that
//   the ISA has, footprints by the sizes of the caches; and the family's estimate;
// - of the problem and the ISA: logarithms;
// - of the schedule: "NAME", the logarithm of a number, and "NAME=VALUE", 1, for words and for 0, which mostly means "none" or
//   "all".
using Features = std::map<std::string, double>;

// One number a column, 0 where the features do not have it. What has no column is left out.
std::vector<float> feature_row(const Features& features, const std::map<std::string, size_t>& columns);

Features schedule_features(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches);

}  // namespace lookupffn
#endif
