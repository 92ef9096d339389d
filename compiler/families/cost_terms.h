// Terms that the families' cost models are made of: ordinary cores of the last ten years, whose ratios are what counts.
#ifndef LOOKUPFFN_COST_TERMS_H
#define LOOKUPFFN_COST_TERMS_H

#include <map>
#include <string>

#include "kernel_description.h"

namespace lookupffn {

// A value of a problem or a schedule; `otherwise` where it is not there.
double number_of(const std::map<std::string, std::string>& pairs, const std::string& name, double otherwise);

// The rate at which a core reads from a footprint.
double bytes_per_ns(double footprint, const CacheSizes& caches);

// Nanoseconds until a core has a line of a footprint that nothing has fetched ahead.
double latency_ns(double footprint, const CacheSizes& caches);

// Of the vectors that the schedule's vector_bytes chooses; the ISA's widest without it.
double vector_bytes_of(const KernelSpec& spec, const Schedule& schedule);

// Registers beyond what there are go to the stack and back on every step: the factor of time that this takes.
double spill_factor(double registers, const KernelSpec& spec);

}  // namespace lookupffn
#endif
