#include "tensor_file.h"

#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace byte_lm {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;

size_t element_bytes(const std::string& type) {
  if (type == "F32" || type == "I32") return 4;
  if (type == "F16" || type == "BF16") return 2;
  return 0;
}

std::string text(const std::vector<size_t>& shape) { return nlohmann::json(shape).dump(); }

template <class Element>
void widen(const char* bytes, std::vector<float>* out) {
  for (float& value : *out) {
    Element element;
    std::memcpy(&element, bytes, sizeof(element));
    bytes += sizeof(element);
    value = static_cast<float>(element);
  }
}

}  // namespace

TensorFile::TensorFile(const std::string& path) : path_(path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) fail("cannot be opened");
  read_.resize(static_cast<size_t>(file.tellg()));
  file.seekg(0);
  if (!file.read(read_.data(), static_cast<std::streamsize>(read_.size()))) fail("could not be read");
  parse({read_.data(), read_.size()});
}

TensorFile::TensorFile(std::string_view bytes, const std::string& name) : path_(name) { parse(bytes); }

void TensorFile::parse(std::string_view file) {
  constexpr size_t kPrefix = 8;
  if (file.size() < kPrefix) fail("is shorter than a safetensors header");
  uint64_t header_bytes = 0;
  for (size_t i = kPrefix; i-- > 0;) header_bytes = header_bytes << 8 | static_cast<unsigned char>(file[i]);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file.size() - kPrefix) {
    fail("has a header that reaches past its end: is it a safetensors file?");
  }
  const std::string_view header = file.substr(kPrefix, static_cast<size_t>(header_bytes));
  data_ = file.substr(kPrefix + static_cast<size_t>(header_bytes));

  try {
    const nlohmann::json entries = nlohmann::json::parse(header);
    for (const auto& [name, entry] : entries.items()) {
      if (name == "__metadata__") {
        metadata_ = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      const auto offsets = entry.at("data_offsets").get<std::vector<size_t>>();
      Tensor tensor{entry.at("dtype"), entry.at("shape"), 0, 0};
      if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_.size()) {
        fail("tensor '" + name + "' has offsets outside of the file");
      }
      tensor.begin = offsets[0];
      tensor.end = offsets[1];
      tensors_.emplace(name, std::move(tensor));
    }
  } catch (const nlohmann::json::exception& error) {
    fail(std::string("has a malformed header: ") + error.what());
  }
}

void TensorFile::fail(const std::string& reason) const { throw std::runtime_error(path_ + ": " + reason); }

const TensorFile::Tensor& TensorFile::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail("has no tensor '" + name + "'");
  return found->second;
}

const TensorFile::Tensor& TensorFile::find(const std::string& name, const std::vector<size_t>& shape) const {
  const Tensor& tensor = find(name);
  if (tensor.shape != shape) {
    fail("tensor '" + name + "' has shape " + text(tensor.shape) + ", expected " + text(shape));
  }
  size_t bytes = element_bytes(tensor.type);
  if (bytes == 0) fail("tensor '" + name + "' has type " + tensor.type + ", which this program does not read");
  for (const size_t extent : shape) bytes *= extent;  // equals what the caller asked for, so it is small
  if (bytes != tensor.end - tensor.begin) fail("tensor '" + name + "' has offsets that do not fit its shape");
  return tensor;
}

std::vector<float> TensorFile::floats(const std::string& name, const std::vector<size_t>& shape) const {
  const Tensor& tensor = find(name, shape);
  std::vector<float> out((tensor.end - tensor.begin) / element_bytes(tensor.type));
  const char* bytes = data_.data() + tensor.begin;
  if (tensor.type == "F32") {
    widen<float>(bytes, &out);
  } else if (tensor.type == "F16") {
    widen<Eigen::half>(bytes, &out);
  } else if (tensor.type == "BF16") {
    widen<Eigen::bfloat16>(bytes, &out);
  } else {
    fail("tensor '" + name + "' has type " + tensor.type + ", expected F32, F16 or BF16");
  }
  return out;
}

std::vector<int32_t> TensorFile::ints(const std::string& name, const std::vector<size_t>& shape) const {
  const Tensor& tensor = find(name, shape);
  if (tensor.type != "I32") fail("tensor '" + name + "' has type " + tensor.type + ", expected I32");
  std::vector<int32_t> out((tensor.end - tensor.begin) / sizeof(int32_t));
  if (!out.empty()) std::memcpy(out.data(), data_.data() + tensor.begin, tensor.end - tensor.begin);
  return out;
}

std::vector<size_t> TensorFile::shape(const std::string& name) const { return find(name).shape; }

double TensorFile::number(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) fail("has no metadata '" + key + "'");
  size_t used = 0;
  double value = 0;
  try {
    value = std::stod(found->second, &used);
  } catch (const std::logic_error&) {
  }
  if (used == 0 || used != found->second.size() || !std::isfinite(value)) {
    fail("metadata '" + key + "' is '" + found->second + "', expected a number");
  }
  return value;
}

size_t TensorFile::size(const std::string& key) const {
  const double value = number(key);
  if (value < 1 || value > 1e6 || value != std::floor(value)) {
    fail("metadata '" + key + "' is not a positive whole number");
  }
  return static_cast<size_t>(value);
}

}  // namespace byte_lm
