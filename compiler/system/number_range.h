// The checks of a command line's numbers, in the form that CLI11 takes: "" where the text is a number of the range, else
// what is wrong. (CLI11's own take -1 for 18446744073709551615, 010 for 8 and "nan" for a number of every range.)
#ifndef LOOKUPFFN_NUMBER_RANGE_H
#define LOOKUPFFN_NUMBER_RANGE_H

#include <cstdint>
#include <string>

namespace lookupffn {

constexpr uint64_t kMostTokens = uint64_t{1} << 20;  // a call, on a command line

// Decimal digits only.
struct WholeNumber {
  uint64_t least, most;
  std::string operator()(const std::string& text) const;
  std::string range() const;  // "1 to 1024", for the help
};

struct RealNumber {
  double least, most;
  std::string operator()(const std::string& text) const;
  std::string range() const;
};

}  // namespace lookupffn
#endif
