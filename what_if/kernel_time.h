// The time of a layer's kernels from first principles: arithmetic, weights and rows at the rates of a machine. docs/what_if.md
// explains each term.
#ifndef LOOKUPFFN_KERNEL_TIME_H
#define LOOKUPFFN_KERNEL_TIME_H

#include <string>

#include "layer_shape.h"
#include "machine_description.h"

namespace lookupffn::what_if {

// What is run.
struct Setting {
  LayerShape shape;
  std::string table_type = "f32", projection_type = "f32";
  std::string isa;
  double tokens = 1;  // a call
  double threads = 1;
};

// Microseconds a token, before anything is fitted.
struct KernelTime {
  double compute = 0, weights = 0, rows = 0, y = 0;
  double total() const;
  const char* bound_by() const;  // the largest: "arithmetic", "weights", "rows", "y"
};

// Of the addresser (hash) and of the retriever (gather). Throw std::runtime_error where the description has no rate for the
// ISA.
KernelTime hash_time(const MachineDescription& machine, const Setting& setting);
KernelTime gather_time(const MachineDescription& machine, const Setting& setting);

}  // namespace lookupffn::what_if
#endif
