#include "number_range.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace lookupffn {
namespace {

// Of a text that may be long.
std::string shown(const std::string& text) {
  constexpr size_t kLongest = 40;
  return "'" + (text.size() <= kLongest ? text : text.substr(0, kLongest) + "...") + "'";
}

bool is_digit(unsigned char c) { return std::isdigit(c) != 0; }

}  // namespace

std::string WholeNumber::operator()(const std::string& text) const {
  const bool decimal = !text.empty() && std::all_of(text.begin(), text.end(), is_digit) && (text.size() == 1 || text[0] != '0');
  uint64_t value = 0;
  bool fits = decimal;
  for (size_t i = 0; fits && i < text.size(); ++i) {
    fits =
        !__builtin_mul_overflow(value, uint64_t{10}, &value) && !__builtin_add_overflow(value, uint64_t(text[i] - '0'), &value);
  }
  return fits && value >= least && value <= most ? "" : shown(text) + " is not a whole number from " + range();
}

std::string WholeNumber::range() const { return std::to_string(least) + " to " + std::to_string(most); }

std::string RealNumber::operator()(const std::string& text) const {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = !text.empty() && (is_digit(static_cast<unsigned char>(text[0])) || text[0] == '.') && *end == '\0';
  return whole && value >= least && value <= most ? "" : shown(text) + " is not a number from " + range();
}

std::string RealNumber::range() const {
  char text[64];
  std::snprintf(text, sizeof text, "%g to %g", least, most);
  return text;
}

}  // namespace lookupffn
