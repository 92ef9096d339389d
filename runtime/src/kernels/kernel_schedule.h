// What a kernel's texts say: its schedule's numbers, and itself for messages.
#ifndef LOOKUPFFN_KERNEL_SCHEDULE_H
#define LOOKUPFFN_KERNEL_SCHEDULE_H

#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernel_registry.h"
#include "lookupffn/kernels.h"

namespace lookupffn {

// The value of a parameter in a schedule's canonical text, or "".
inline std::string schedule_value(const lookupffn_kernel& kernel, const std::string& name) {
  const std::string text = " " + std::string(kernel.schedule) + " ";
  const size_t at = text.find(" " + name + "=");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 2;
  return text.substr(from, text.find(' ', from) - from);
}

inline size_t schedule_number(const lookupffn_kernel& kernel, const std::string& name, size_t otherwise) {
  const std::string value = schedule_value(kernel, name);
  return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
}

inline std::string describe(const lookupffn_kernel& kernel) {
  return std::string(kernel.batch_class) + ": " + kernel.schedule + " [" + kernel.provenance + "]";
}

inline std::string missing_text(const char* kernel, const char* isa, const std::string& problem) {
  const std::string libraries = registered_library_names();
  return std::string("no ") + kernel + " kernel for '" + problem + "' on " + isa + " in " +
         (libraries.empty() ? "any registered library (none is registered)" : "the registered libraries (" + libraries + ")");
}

inline std::vector<const lookupffn_kernel*> kernels_of(const std::vector<RegisteredKernel>& registered) {
  std::vector<const lookupffn_kernel*> kernels;
  for (const RegisteredKernel& one : registered) kernels.push_back(one.kernel);
  return kernels;
}

}  // namespace lookupffn
#endif
