#include "fff_kernel_choice.h"

#include <algorithm>
#include <string>
#include <vector>

#include "failure.h"
#include "generic_kernels.h"
#include "kernel_registry.h"

namespace lookupffn {
namespace {

class Chooser {
 public:
  Chooser(const char* isa, lookupffn_kernels wanted) : isa_(isa), wanted_(wanted) {}

  // The specialised kernels of a problem by their tokens; none where there are none.
  KernelRanges specialised(const char* kernel, const std::string& problem) {
    KernelRanges ranges;
    if (wanted_ == LOOKUPFFN_GENERIC_KERNELS) return ranges;
    std::vector<const lookupffn_kernel*> kernels;
    for (const RegisteredKernel& found : registered_kernels(kernel, isa_, problem)) kernels.push_back(found.kernel);
    for (const size_t tokens : range_starts(kernels)) {
      // The latest library's come first.
      const auto found = std::find_if(kernels.begin(), kernels.end(), [&](const auto* one) { return is_for(*one, tokens); });
      add(ranges, tokens, *found, "specialised");
    }
    if (kernels.empty()) missing(kernel, problem);
    return ranges;
  }

  KernelRanges generic(const char* kernel) {
    KernelRanges ranges;
    for (const lookupffn_kernel* found : generic_kernels(kernel, isa_, "")) add(ranges, found->min_tokens, found, "generic");
    return ranges;
  }

  KernelRanges any(const char* kernel, const std::string& problem) {
    KernelRanges ranges = specialised(kernel, problem);
    return ranges.empty() ? generic(kernel) : ranges;
  }

  void finish(FffKernels& kernels) const {
    kernels.description = description_;
    kernels.specialised = wanted_ != LOOKUPFFN_GENERIC_KERNELS && missing_.empty();
    kernels.fallback = wanted_ == LOOKUPFFN_GENERIC_KERNELS ? "generic kernels were asked for" : missing_;
    if (wanted_ == LOOKUPFFN_SPECIALISED_KERNELS && !missing_.empty()) {
      throw Failure(LOOKUPFFN_NO_KERNEL,
                    missing_ + ": make one with lookupffn build and register or load it, or allow generic kernels");
    }
  }

 private:
  void add(KernelRanges& ranges, size_t tokens, const lookupffn_kernel* kernel, const char* kind) {
    ranges.add(tokens, kernel);
    description_ += (description_.empty() ? "" : " | ") + std::string(kernel->kernel) + " " + kind + ", " +
                    kernel->batch_class + ": " + kernel->schedule + " [" + kernel->provenance + "]";
  }

  void missing(const char* kernel, const std::string& problem) {
    const std::string libraries = registered_library_names();
    missing_ +=
        (missing_.empty() ? "" : "; ") + std::string("no ") + kernel + " kernel for '" + problem + "' on " + isa_ + " in " +
        (libraries.empty() ? "any registered library (none is registered)" : "the registered libraries (" + libraries + ")");
  }

  const char* const isa_;
  const lookupffn_kernels wanted_;
  std::string description_, missing_;
};

}  // namespace

FffKernels choose_fff_kernels(const FffShape& shape, const char* isa, lookupffn_kernels wanted) {
  Chooser chooser(isa, wanted);
  FffKernels kernels;
  kernels.descent = chooser.specialised("fff_descent", shape.descent_problem());
  if (kernels.descent.empty()) kernels.level = chooser.generic("generic_fff_level").front();
  if (shape.has_leaves()) {
    kernels.hidden = chooser.any("fff_leaf_product", shape.hidden_problem());
    kernels.output = chooser.any("fff_leaf_product", shape.output_problem());
  } else {
    kernels.rows = chooser.any("fff_rows", shape.rows_problem());
  }
  chooser.finish(kernels);
  return kernels;
}

}  // namespace lookupffn
