#include "cpu_features.h"

#include <sstream>

namespace lookupffn {

std::string missing_cpu_features(const std::string& features) {
  std::istringstream words(features);
  std::string word, missing;
  while (words >> word) {
    const CpuAnswer answer = cpu_answer(word);
    if (answer == CpuAnswer::kUnknown) return "this version cannot tell whether the CPU has " + word;
    if (answer == CpuAnswer::kLacks) missing += (missing.empty() ? "the CPU has no " : ", ") + word;
  }
  return missing.empty() ? missing_system_support(features) : missing;
}

}  // namespace lookupffn
