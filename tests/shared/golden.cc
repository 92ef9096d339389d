#include "golden.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "safetensors.h"

namespace lookupffn::reference {
namespace {

constexpr char kModelEnd[] = ".model.safetensors";

template <class Value>
std::vector<Value> values_of(const SafetensorsFile& file, const char* name, ElementType type) {
  const TensorView* tensor = file.find(name);
  if (tensor == nullptr || tensor->type != type) {
    throw std::runtime_error(file.name() + ": no tensor '" + name + "' of the type expected");
  }
  std::vector<Value> values(tensor->elements());
  read_bytes(*tensor, 0, tensor->bytes, values.data());
  return values;
}

}  // namespace

std::vector<std::string> golden_names(const std::string& folder) {
  std::vector<std::string> names;
  const std::string end = kModelEnd;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) {
      names.push_back(name.substr(0, name.size() - end.size()));
    }
  }
  if (names.empty()) throw std::runtime_error(folder + ": holds no golden case");
  std::sort(names.begin(), names.end());
  return names;
}

Golden read_golden(const std::string& folder, const std::string& name) {
  const SafetensorsFile io(folder + "/" + name + ".io.safetensors");
  Golden golden;
  golden.model_path = folder + "/" + name + kModelEnd;
  golden.x = values_of<float>(io, "x", ElementType::kF32);
  golden.z = values_of<float>(io, "z", ElementType::kF32);
  golden.code = values_of<int32_t>(io, "code", ElementType::kI32);
  golden.score = values_of<float>(io, "score", ElementType::kF32);
  golden.y = values_of<float>(io, "y", ElementType::kF32);
  golden.tokens = io.find("x")->shape.at(0);
  return golden;
}

}  // namespace lookupffn::reference
