#include "option_checks.h"

#include <algorithm>
#include <string>

#include "isas.h"
#include "number_range.h"

namespace lookupffn {
namespace {

template <class Check>
CLI::Validator validator(const Check& check, const std::string& help) {
  return CLI::Validator([check](std::string& text) { return check(text); }, help);
}

}  // namespace

CLI::Validator whole_number(uint64_t least, uint64_t most) {
  const WholeNumber number{least, most};
  return validator(number, number.range());
}

CLI::Validator real_number(double least, double most) {
  const RealNumber number{least, most};
  return validator(number, number.range());
}

CLI::Validator isa_name() {
  return validator(
      [](const std::string& text) {
        return find_isa(text) ? std::string() : "there is no ISA '" + text + "'; there are " + isa_names_text();
      },
      "");
}

CLI::Validator not_empty() {
  return validator([](const std::string& text) { return std::string(text.empty() ? "its value is empty" : ""); }, "");
}

}  // namespace lookupffn
