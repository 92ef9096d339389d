// Writes safetensors files.
#ifndef LOOKUPFFN_SAFETENSORS_WRITER_H
#define LOOKUPFFN_SAFETENSORS_WRITER_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "layer_weights.h"

namespace lookupffn {

// A tensor to be written: `data` holds the product of `shape` elements, row-major, and stays the caller's.
struct TensorSource {
  std::string name;
  ElementType type = ElementType::kF32;  // not kOther
  std::vector<size_t> shape;
  const void* data = nullptr;
};

// Writes the tensors to a temporary file beside `path`, flushes it to the disk and renames it to `path`, so that a
// reader finds the old file or the whole new one (see replaced_file.h). Tensors of wider elements come first, so that
// all are aligned. Throws Failure: LOOKUPFFN_IO_ERROR with the path and the system's reason (the temporary file is
// removed), LOOKUPFFN_INVALID_ARGUMENT for names that repeat or are not UTF-8.
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// The bytes that write_safetensors writes.
std::vector<uint8_t> safetensors_bytes(const std::vector<TensorSource>& tensors,
                                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lookupffn
#endif
