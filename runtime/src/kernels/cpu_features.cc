#include "cpu_features.h"

#include <algorithm>
#include <string>

namespace lookupffn {

std::string missing_cpu_features(const std::string& features) {
  std::string missing;
  // No stream: in a small program it would bring all that C++ knows of locales.
  for (size_t at = 0, end; at < features.size(); at = end + 1) {
    end = std::min(features.find(' ', at), features.size());
    const std::string word = features.substr(at, end - at);
    const CpuAnswer answer = cpu_answer(word);
    if (answer == CpuAnswer::kUnknown) return "this version cannot tell whether the CPU has " + word;
    if (answer == CpuAnswer::kLacks) missing += (missing.empty() ? "the CPU has no " : ", ") + word;
  }
  return missing.empty() ? missing_system_support(features) : missing;
}

}  // namespace lookupffn
