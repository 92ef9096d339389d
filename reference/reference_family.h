// What a family of lookup layers gives to those who check and measure results: its naive twin. Each family of
// registry/families.def defines one `const ReferenceFamily NAME_reference_family` in generators/NAME/reference/.
#ifndef LOOKUPFFN_REFERENCE_FAMILY_H
#define LOOKUPFFN_REFERENCE_FAMILY_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "reference/stage.h"
#include "reference/training_twin.h"
#include "reference/verdict.h"
#include "runtime_family.h"
#include "safetensors.h"

namespace lookupffn::reference {

// A layer's formulas in double precision.
class Twin {
 public:
  virtual ~Twin() = default;
  // What the stage takes, for tokens that come near to all rows of the tables.
  virtual Input random_input(Stage stage, size_t tokens, uint64_t seed) const = 0;
  // Judges what the stage gave for the input.
  virtual Verdict judge(Stage stage, const Input& input, const Results& given) const = 0;
};

// What `verify` finds about a layer.
struct Verification {
  Verification(Verdict verdict) : layer(verdict) {}  // NOLINT: most families have no more to say

  Verdict layer;  // what it gives, against the formulas
  // Where the layer's weights are rounded so that codes may flip: what the file expects, against the formulas with its weights.
  bool rounded = false;
  Verdict file;
  size_t codes_changed_by_rounding = 0;
  size_t contradictions = 0;  // values of the file that other values of it do not give

  bool passed() const { return layer.passed() && (!rounded || file.passed()) && contradictions == 0; }
};

struct ReferenceFamily {
  const char* name;
  // Of a layer of a model file, with weights as the types round them. The source must outlive it.
  std::unique_ptr<Twin> (*twin)(const ModelLayer& source, lookupffn_type table_type, lookupffn_type projection_type);
  // Whether the file names expected results as this layer's own, for a model of several layers: tells which of them `verify`
  // can judge.
  bool (*expects)(const SafetensorsFile& io, const ModelLayer& source);
  // Judges a layer by inputs and expected results that a file holds (docs/families.md names its tensors). The file may be the
  // model itself. Throws Failure, or std::runtime_error, where it holds nothing to judge by or the family cannot judge by it.
  Verification (*verify)(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                         lookupffn_threads& threads);
  // A model file with one layer of this shape and random weights. Of the shape, prefix, decay and layer_norm_eps do not count.
  std::vector<uint8_t> (*random_model)(const lookupffn_shape& shape, uint64_t seed);
  // Which call runs a specialised kernel of the family, and as little else as can be.
  Stage (*stage)(const std::string& kernel);
  // Of a layer that is trained. NULL: the family has no training steps.
  std::unique_ptr<TrainingTwin> (*training_twin)(const ModelLayer& source) = nullptr;
};

// Throws std::runtime_error with the families that there are.
const ReferenceFamily& reference_family(const std::string& name);

}  // namespace lookupffn::reference
#endif
