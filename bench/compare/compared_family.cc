#include "compared_family.h"

#include <stdexcept>

namespace lookupffn::bench {

#define LOOKUPFFN_FAMILY(name, description) extern const ComparedFamily name##_compared_family;
#include "families.def"
#undef LOOKUPFFN_FAMILY

const std::vector<const ComparedFamily*>& compared_families() {
  static const std::vector<const ComparedFamily*> families = {
#define LOOKUPFFN_FAMILY(name, description) &name##_compared_family,
#include "families.def"
#undef LOOKUPFFN_FAMILY
  };
  return families;
}

const ComparedFamily& compared_family(const std::string& name) {
  std::string names;
  for (const ComparedFamily* family : compared_families()) {
    if (name == family->name) return *family;
    names += (names.empty() ? "" : ", ") + std::string(family->name);
  }
  throw std::invalid_argument("there is no family '" + name + "'; there are " + names);
}

std::vector<ContenderKind> contender_kinds(const ComparedFamily& family) {
  std::vector<ContenderKind> kinds = {our_contender()};
  for (ContenderKind& kind : family.contenders()) kinds.push_back(std::move(kind));
  return kinds;
}

void expect_random_codes(const std::string& family, const std::string& codes) {
  if (codes == "random") return;
  throw std::invalid_argument("unknown codes '" + codes + "'; of family " + family + " there are random");
}

}  // namespace lookupffn::bench
