// Checks the tensors of one layer of a model file.
#ifndef LOOKUPFFN_TENSOR_READER_H
#define LOOKUPFFN_TENSOR_READER_H

#include <cstddef>
#include <string>
#include <vector>

#include "safetensors.h"
#include "tensor_limits.h"

namespace lookupffn {

// All of its functions throw Failure (LOOKUPFFN_MALFORMED_MODEL) with the file, the tensor and the reason.
class TensorReader {
 public:
  TensorReader(const SafetensorsFile& file, const std::string& prefix) : file_(file), prefix_(prefix) {}

  // The tensor PREFIX + name, of a type that read_floats reads.
  const TensorView& tensor(const char* name) const;
  bool has(const char* name) const { return file_.find(prefix_ + name) != nullptr; }

  void check_rank(const TensorView& view, size_t rank) const;
  // 1 to largest.
  void check_range(const TensorView& view, const char* what, size_t value, size_t largest) const;
  void expect_shape(const TensorView& view, const std::vector<size_t>& expected) const;
  void check_finite(const TensorView& view) const;
  [[noreturn]] void refuse(const TensorView& view, const std::string& reason) const;

  // A finite float of the file's __metadata__; `otherwise` where it is not there.
  float metadata_float(const char* key, float otherwise) const;
  // The value of __metadata__ `key` is `reason` ("not from 0 to 1").
  [[noreturn]] void refuse_metadata(const char* key, const std::string& reason) const;

  const SafetensorsFile& file() const { return file_; }

 private:
  const SafetensorsFile& file_;
  const std::string prefix_;
};

}  // namespace lookupffn
#endif
