#include "embedding_bag_kernels.h"

#include <string>
#include <vector>

#include "bag_layout.h"
#include "failure.h"
#include "generic_kernels.h"
#include "kernel_schedule.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

constexpr char kKernel[] = "embedding_bag";

BagKernel bag_kernel(const lookupffn_kernel& kernel) {
  const BagKernel bag{&kernel, schedule_number(kernel, "d_tile", 0)};
  if (bag.d_tile > 0 && bag.d_tile % kBagRowMultiple == 0) return bag;
  throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS,
                std::string("an embedding_bag kernel's schedule has no usable d_tile: '") + kernel.schedule + "'");
}

void specialise(const lookupffn_kernel& kernel, size_t row, BagKernels& choice) {
  choice.wide = choice.rest = bag_kernel(kernel);
  if (row % choice.wide.d_tile != 0) {
    throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS, "an embedding_bag kernel's d_tile does not divide rows of " +
                                                      std::to_string(row) + " floats: '" + kernel.schedule + "'");
  }
  choice.specialised = true;
  choice.description = "embedding_bag specialised, " + describe(kernel);
}

// The widest of the generic kernels, and the narrowest for what it leaves.
void generalise(const char* isa, const std::string& type, BagKernels& choice) {
  for (const lookupffn_kernel* kernel : generic_kernels(kKernel, isa, "table_type=" + type)) {
    const BagKernel bag = bag_kernel(*kernel);
    if (!choice.wide.kernel || bag.d_tile > choice.wide.d_tile) choice.wide = bag;
    if (!choice.rest.kernel || bag.d_tile < choice.rest.d_tile) choice.rest = bag;
  }
  choice.description = "embedding_bag generic, " + describe(*choice.wide.kernel);
}

}  // namespace

std::unique_ptr<const BagKernels> choose_bag_kernels(size_t d_out, const char* isa, lookupffn_type table_type,
                                                     lookupffn_kernels wanted) {
  auto choice = std::make_unique<BagKernels>();
  const std::string type = weight_type(table_type).name, problem = bag_problem(d_out, type);
  std::vector<RegisteredKernel> registered;
  if (wanted == LOOKUPFFN_GENERIC_KERNELS) {
    choice->fallback = "generic kernels were asked for";
  } else {
    registered = registered_kernels(kKernel, isa, problem);
    if (registered.empty()) choice->fallback = missing_text(kKernel, isa, problem);
  }
  if (!registered.empty()) {
    specialise(*registered.front().kernel, bag_row(d_out), *choice);
  } else if (wanted == LOOKUPFFN_SPECIALISED_KERNELS) {
    throw Failure(LOOKUPFFN_NO_KERNEL,
                  choice->fallback + ": make one with lookupffn build and register or load it, or allow generic kernels");
  } else {
    generalise(isa, type, *choice);
  }
  return choice;
}

}  // namespace lookupffn
