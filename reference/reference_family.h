// What a family of lookup layers gives to those who check and measure results: its naive twin. Each family of
// registry/families.def defines one `const ReferenceFamily NAME_reference_family` in generators/NAME/reference/.
#ifndef LOOKUPFFN_REFERENCE_FAMILY_H
#define LOOKUPFFN_REFERENCE_FAMILY_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "layer.h"
#include "reference/verdict.h"
#include "runtime_family.h"
#include "safetensors.h"

namespace lookupffn::reference {

// What a layer is fed: vectors, or bags of ids as lookupffn_forward_ids takes them.
struct Input {
  size_t tokens = 0;               // rows of y
  std::vector<float> x;            // [tokens, d_in]
  std::vector<int64_t> ids, offsets;
  std::vector<float> weights;      // one an id, or empty
  bool mean = false;
};

// Which call of the C API runs a kernel by itself.
enum class Stage { kForward, kForwardIds, kHash, kGather };

// A layer's formulas in double precision.
class Twin {
 public:
  virtual ~Twin() = default;
  // Tokens that come near to all rows of the tables.
  virtual Input random_input(size_t tokens, uint64_t seed) const = 0;
  // Judges all that the layer gives for the input: codes, scores and y.
  virtual Verdict judge(const Input& input, const lookupffn_layer& layer, lookupffn_threads& threads) const = 0;
};

struct ReferenceFamily {
  const char* name;
  // Of a layer of a model file, with weights as the types round them. The source must outlive it.
  std::unique_ptr<Twin> (*twin)(const ModelLayer& source, lookupffn_type table_type, lookupffn_type projection_type);
  // Judges a layer by inputs and expected results that a file holds (docs/families.md names its tensors). The file may be the
  // model itself. Throws Failure where it holds nothing to judge by.
  Verdict (*verify)(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer, lookupffn_threads& threads);
  // A model file with one layer of this shape and random weights.
  std::vector<uint8_t> (*random_model)(const lookupffn_shape& shape, uint64_t seed);
};

const std::vector<const ReferenceFamily*>& reference_families();

// Throws std::runtime_error with the families that there are.
const ReferenceFamily& reference_family(const std::string& name);

}  // namespace lookupffn::reference
#endif
