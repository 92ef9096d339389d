#include "cost_terms.h"

#include <algorithm>
#include <cstdlib>

#include "isa_target.h"

namespace lookupffn {

double number_of(const std::map<std::string, std::string>& pairs, const std::string& name, double otherwise) {
  const auto it = pairs.find(name);
  return it == pairs.end() ? otherwise : std::strtod(it->second.c_str(), nullptr);
}

double bytes_per_ns(double footprint, const CacheSizes& caches) {
  if (footprint <= double(caches.l1d)) return 150;
  if (footprint <= double(caches.l2)) return 60;
  if (footprint <= double(caches.l3)) return 15;
  return 9;
}

double latency_ns(double footprint, const CacheSizes& caches) {
  if (footprint <= double(caches.l1d)) return 2;
  if (footprint <= double(caches.l2)) return 6;
  if (footprint <= double(caches.l3)) return 25;
  return 90;
}

double vector_bytes_of(const KernelSpec& spec, const Schedule& schedule) {
  const double widest = isa_target(spec.isa).vector_bytes;
  const double chosen = number_of(schedule, "vector_bytes", 0);
  return chosen > 0 ? std::min(chosen, widest) : widest;
}

double spill_factor(double registers, const KernelSpec& spec) {
  const double there = isa_target(spec.isa).vector_registers;
  return registers <= there ? 1 : 1 + 1.5 * (registers - there) / there;
}

}  // namespace lookupffn
