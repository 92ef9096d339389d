// A MemoryFormer layer for those who check and measure: LookupFFN's twin by other rules, and the tensors of the golden cases.
#include <cctype>
#include <cmath>
#include <string>
#include <vector>

#include "lookupffn_formulas.h"
#include "lookupffn_twin.h"
#include "lookupffn_verify.h"
#include "memoryformer_rules.h"
#include "plain_layer.h"
#include "reference/reference_family.h"
#include "reference/token_rows.h"
#include "tensor_reader.h"

namespace lookupffn::reference {
namespace {

// "2" of "layer.2.", "" of "layer.".
std::string last_number(const std::string& prefix) {
  if (prefix.empty() || prefix.back() != '.') return "";
  size_t begin = prefix.size() - 1;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(prefix[begin - 1]))) --begin;
  return begin == 0 || prefix[begin - 1] == '.' ? prefix.substr(begin, prefix.size() - 1 - begin) : "";
}

// Of the layer 2 of a sequence, 1 back is LayerNorm and 2 back the layer that it gets its input from: their prefix; "" where
// there is none.
std::string prefix_before(const std::string& prefix, int back) {
  const std::string number = last_number(prefix);
  if (number.empty() || number.size() > 9 || std::stoi(number) < back) return "";
  return prefix.substr(0, prefix.size() - 1 - number.size()) + std::to_string(std::stoi(number) - back) + ".";
}

bool follows_another(const SafetensorsFile& io, const std::string& prefix) {
  const std::string before = prefix_before(prefix, 2);
  return !before.empty() && io.find(before + "y") != nullptr && io.find(prefix_before(prefix, 1) + "weight") != nullptr;
}

// The first of the names that the file has, or the last.
std::string first_there(const SafetensorsFile& io, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (io.find(name)) return name;
  }
  return names.back();
}

// y of a layer: its own, q of "query_proj." and so on, or that of the module, whose last layer it is.
std::string name_of_y(const SafetensorsFile& io, const std::string& prefix) {
  std::vector<std::string> names = {prefix + "y"};
  const size_t dot = prefix.size() < 2 ? std::string::npos : prefix.rfind('.', prefix.size() - 2);
  const std::string parent = dot == std::string::npos ? "" : prefix.substr(0, dot + 1);
  if (prefix.size() > parent.size()) names.push_back(parent + prefix[parent.size()]);
  names.push_back("y");
  return first_there(io, names);
}

// A plain y may be anything's.
bool expects(const SafetensorsFile& io, const ModelLayer& source) {
  const std::string y = name_of_y(io, source.prefix());
  return io.find(y) != nullptr && (y != "y" || follows_another(io, source.prefix()));
}

std::vector<float> vector_of(const SafetensorsFile& io, const std::string& prefix, const char* name, size_t size) {
  const TensorReader reader(io, prefix);
  const TensorView& tensor = reader.tensor(name);
  reader.expect_shape(tensor, {size});
  std::vector<float> values(size);
  read_floats(tensor, 0, size, values.data());
  return values;
}

// LayerNorm of what the layer before should give.
std::vector<float> input_after(const SafetensorsFile& io, const std::string& prefix, size_t d_in) {
  Layer norm{};
  norm.shape.d_in = d_in;
  norm.shape.layer_norm_eps = 1e-5f;
  norm.gamma = vector_of(io, prefix_before(prefix, 1), "weight", d_in);
  norm.beta = vector_of(io, prefix_before(prefix, 1), "bias", d_in);
  const std::vector<double> h = layer_norm(norm, float_rows(io, prefix_before(prefix, 2) + "y", kAnyTokens, d_in));
  return {h.begin(), h.end()};
}

Verification verify(const SafetensorsFile& io, const ModelLayer& source, const lookupffn_layer& layer,
                    lookupffn_threads& threads) {
  const std::string& prefix = source.prefix();
  const auto own = [&](const char* name) { return first_there(io, {prefix + name, name}); };
  const CaseTensors tensors = {own("x"), own("z"), own("code"), own("score"), name_of_y(io, prefix)};
  if (!follows_another(io, prefix)) return verify_packed(io, tensors, source, layer, threads);
  return verify_packed(io, tensors, input_after(io, prefix, source.shape().d_in), source, layer, threads);
}

std::vector<uint8_t> random_model(const lookupffn_shape& shape, uint64_t seed) {
  const bool projected = shape.projection != LOOKUPFFN_NO_PROJECTION;
  const lookupffn_shape own = projected ? dense_shape(shape.d_in, shape.d_out, shape.tables, shape.bits)
                                        : unprojected_shape(shape.d_out, shape.tables, shape.bits);
  return model_bytes(random_layer(own, seed, memoryformer_rules(projected)), "", ElementType::kF32);
}

}  // namespace

extern const ReferenceFamily memoryformer_reference_family;
const ReferenceFamily memoryformer_reference_family = {"memoryformer", packed_twin,  expects,
                                                       verify,         random_model, packed_stage};

}  // namespace lookupffn::reference
