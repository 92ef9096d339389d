#include "reference/token_rows.h"

#include "failure.h"
#include "layer_weights.h"

namespace lookupffn {
namespace {

std::string shape_text(const std::vector<size_t>& shape) {
  std::string text;
  for (size_t size : shape) text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return text.empty() ? "[]" : text + "]";
}

const TensorView& find(const SafetensorsFile& file, const std::string& name, size_t tokens, size_t columns) {
  const TensorView* tensor = file.find(name);
  if (!tensor) throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + " has no tensor '" + name + "'");
  if (tensor->shape.size() != 2 || tensor->shape[1] != columns || (tokens != kAnyTokens && tensor->shape[0] != tokens)) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + ": tensor '" + name + "' is " + shape_text(tensor->shape) +
                                                 "; it must be [" + (tokens == kAnyTokens ? "tokens" : std::to_string(tokens)) +
                                                 ", " + std::to_string(columns) + "]");
  }
  return *tensor;
}

}  // namespace

std::vector<float> float_rows(const SafetensorsFile& file, const std::string& name, size_t tokens, size_t columns) {
  const TensorView& tensor = find(file, name, tokens, columns);
  std::vector<float> values(tensor.elements());
  if (tensor.type != ElementType::kF32 && tensor.type != ElementType::kF16 && tensor.type != ElementType::kBF16) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                  file.name() + ": tensor '" + name + "' is " + file.type_name(tensor) + "; it must be F32, F16 or BF16");
  }
  read_floats(tensor, 0, values.size(), values.data());
  return values;
}

std::vector<int32_t> int_rows(const SafetensorsFile& file, const std::string& name, size_t tokens, size_t columns) {
  const TensorView& tensor = find(file, name, tokens, columns);
  std::vector<int32_t> values(tensor.elements());
  if (std::string(file.type_name(tensor)) == "I64") {
    std::vector<int64_t> wide(tensor.elements());
    read_bytes(tensor, 0, tensor.bytes, wide.data());
    for (size_t k = 0; k < wide.size(); ++k) {
      values[k] = int32_t(wide[k]);
      if (values[k] == wide[k]) continue;
      throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                    file.name() + ": tensor '" + name + "' holds " + std::to_string(wide[k]) + ", which no int32 holds");
    }
    return values;
  }
  if (tensor.type != ElementType::kI32) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                  file.name() + ": tensor '" + name + "' is " + file.type_name(tensor) + "; it must be I32 or I64");
  }
  read_bytes(tensor, 0, tensor.bytes, values.data());
  return values;
}

}  // namespace lookupffn
