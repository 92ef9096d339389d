// What a family of lookup layers gives the runtime: how its layers are found and read in a model file, packed and run. Each
// family of registry/families.def defines one `const RuntimeFamily NAME_runtime_family` in generators/NAME/.
#ifndef LOOKUPFFN_FAMILY_H
#define LOOKUPFFN_FAMILY_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "safetensors.h"

namespace lookupffn {

struct PackRequest {
  const char* isa;  // one that runs here
  lookupffn_type table_type, projection_type;
  lookupffn_kernels kernels;
};

// A layer as it stands in a model file: views of its tensors, checked. Immutable; valid while the file is.
class ModelLayer {
 public:
  virtual ~ModelLayer() = default;
  const std::string& prefix() const { return prefix_; }
  const lookupffn_shape& shape() const { return shape_; }  // shape().prefix points to prefix()

  // Throws Failure.
  virtual std::unique_ptr<lookupffn_layer> pack(const PackRequest& request) const = 0;

 protected:
  explicit ModelLayer(std::string prefix) : prefix_(std::move(prefix)) {}
  ModelLayer(const ModelLayer&) = delete;

  // All of the shape but its prefix.
  void set_shape(const lookupffn_shape& shape) {
    shape_ = shape;
    shape_.prefix = prefix_.c_str();
  }

 private:
  const std::string prefix_;
  lookupffn_shape shape_{};
};

struct RuntimeFamily {
  const char* name;
  // The tensors that tell its layers from others', for the message where a file has no layer at all.
  const char* tensors;
  // Prefixes of its layers in a file; no other family's layer has them.
  std::vector<std::string> (*find)(const SafetensorsFile& file);
  // Checks all of the layer's tensors. Throws Failure LOOKUPFFN_MALFORMED_MODEL with file, tensor and reason.
  std::unique_ptr<ModelLayer> (*read)(const SafetensorsFile& file, const std::string& prefix);
  // For training steps of layers of a shape, on an ISA that runs here; NULL: they are not trained here. Throws Failure.
  std::unique_ptr<lookupffn_training> (*train)(const lookupffn_shape& shape, const char* isa) = nullptr;
};

// In the order of the registry.
const std::vector<const RuntimeFamily*>& runtime_families();

}  // namespace lookupffn
#endif
