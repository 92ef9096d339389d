// What a family of lookup layers brings to the comparison: a layer to compare and the contenders that know it. Each family of
// registry/families.def defines one `const ComparedFamily NAME_compared_family` in generators/NAME/bench/.
#ifndef LOOKUPFFN_BENCH_COMPARED_FAMILY_H
#define LOOKUPFFN_BENCH_COMPARED_FAMILY_H

#include <memory>
#include <string>
#include <vector>

#include "compared_layer.h"
#include "contender.h"

namespace lookupffn::bench {

// What is asked of the inputs.
struct InputOptions {
  std::string codes;    // how codes are spread over the rows: "random", or what else the family offers
  size_t largest_call;  // inputs
};

struct ComparedFamily {
  const char* name;
  // A layer of the shape with random weights, and its inputs. Throws std::invalid_argument for codes that it does not offer.
  std::unique_ptr<ComparedLayer> (*layer)(const std::string& name, const LayerShape& shape, const InputOptions& options);
  // Others that compute this layer, or something in its place. This library itself is added to them.
  std::vector<ContenderKind> (*contenders)();
};

const std::vector<const ComparedFamily*>& compared_families();

// Throws std::invalid_argument with the families that there are.
const ComparedFamily& compared_family(const std::string& name);

// This library, and the family's others.
std::vector<ContenderKind> contender_kinds(const ComparedFamily& family);

// Throws std::invalid_argument unless codes is "random": of families that offer no others.
void expect_random_codes(const std::string& family, const std::string& codes);

}  // namespace lookupffn::bench
#endif
