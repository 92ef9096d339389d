#include "kernel_spec.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "weight_types.h"

namespace lookupffn {

std::string canonical_text(const std::map<std::string, std::string>& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += ' ';
    text += name + "=" + value;
  }
  return text;
}

std::map<std::string, std::string> parse_pairs(const std::string& text) {
  std::map<std::string, std::string> pairs;
  std::istringstream words(text);
  std::string word;
  while (words >> word) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size()) {
      throw std::runtime_error("'" + word + "' is not of the form name=value");
    }
    if (!pairs.emplace(word.substr(0, equals), word.substr(equals + 1)).second) {
      throw std::runtime_error("'" + word.substr(0, equals) + "' is given twice");
    }
  }
  return pairs;
}

bool KernelSpec::operator==(const KernelSpec& other) const {
  return std::tie(kernel, isa, batch_class, problem) == std::tie(other.kernel, other.isa, other.batch_class, other.problem);
}

bool KernelSpec::operator<(const KernelSpec& other) const {
  return std::tie(kernel, isa, batch_class, problem) < std::tie(other.kernel, other.isa, other.batch_class, other.problem);
}

unsigned used_capabilities(const KernelSpec& spec) {
  unsigned used = 0;
  for (const auto& [name, value] : spec.problem) {
    if (const Storage* storage = find_storage(value)) used |= storage->needs;
  }
  return used;
}

std::string problem_key(const KernelSpec& spec) {
  std::string key;
  for (const auto& [name, value] : spec.problem) {
    if (!key.empty()) key += '-';
    if (std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c); })) {
      std::copy_if(name.begin(), name.end(), std::back_inserter(key), [](char c) { return c != '_'; });
    }
    key += value;
  }
  return key;
}

std::string describe(const KernelSpec& spec) {
  return spec.kernel + " " + spec.isa + " " + spec.batch_class + " (" + canonical_text(spec.problem) + ")";
}

}  // namespace lookupffn
