#include "safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "failure.h"
#include "float_types.h"
#include "replaced_file.h"
#include "safetensors.h"

namespace lookupffn {
namespace {

[[noreturn]] void fail_argument(const std::string& message) { throw Failure(LOOKUPFFN_INVALID_ARGUMENT, message); }

size_t bytes_of(const TensorSource& tensor) {
  size_t bytes = element_bytes(tensor.type);
  if (bytes == 0) fail_argument("tensor " + quote_name(tensor.name) + " has a type that is not written");
  for (size_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      fail_argument("tensor " + quote_name(tensor.name) + " has a shape that overflows");
    }
  }
  return bytes;
}

// Wider elements first: each tensor then starts at a multiple of its element's size.
std::vector<const TensorSource*> in_file_order(const std::vector<TensorSource>& tensors) {
  std::vector<const TensorSource*> order;
  for (const TensorSource& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const TensorSource* a, const TensorSource* b) {
    return element_bytes(a->type) > element_bytes(b->type);
  });
  return order;
}

// The length and the header, padded with spaces so that the data starts at a multiple of 8.
std::string header_of(const std::vector<const TensorSource*>& tensors, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const TensorSource* tensor : tensors) {
    if (header.contains(tensor->name) || tensor->name == "__metadata__") {
      fail_argument("tensor " + quote_name(tensor->name) + " is given twice");
    }
    const size_t end = offset + bytes_of(*tensor);
    header[tensor->name] = {
        {"dtype", element_type_name(tensor->type)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail_argument("a tensor's name or the metadata is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>((uint64_t{text.size()} >> (8 * i)) & 0xff);
  return length + text;
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const TensorSource*> order = in_file_order(tensors);
  const std::string header = header_of(order, metadata);
  if (path.empty()) throw Failure(LOOKUPFFN_IO_ERROR, "the name of the file to write is empty");
  try {
    ReplacedFile file(path);
    file.write(header.data(), header.size());
    for (const TensorSource* tensor : order) file.write(tensor->data, bytes_of(*tensor));
    file.commit();
  } catch (const ReplaceError& failed) {
    throw Failure(LOOKUPFFN_IO_ERROR,
                  path + ": " + failed.action + (failed.error != 0 ? std::string(": ") + std::strerror(failed.error) : ""));
  }
}

std::vector<uint8_t> safetensors_bytes(const std::vector<TensorSource>& tensors,
                                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const TensorSource*> order = in_file_order(tensors);
  const std::string header = header_of(order, metadata);
  std::vector<uint8_t> bytes(header.begin(), header.end());
  for (const TensorSource* tensor : order) {
    const uint8_t* data = static_cast<const uint8_t*>(tensor->data);
    bytes.insert(bytes.end(), data, data + bytes_of(*tensor));
  }
  return bytes;
}

}  // namespace lookupffn
