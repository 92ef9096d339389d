// Reads tensors and metadata from a safetensors file, as much of the format as this program needs.
#ifndef BYTE_LM_TENSOR_FILE_H
#define BYTE_LM_TENSOR_FILE_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace byte_lm {

// A whole file in memory. Every function throws std::runtime_error with the file, the tensor and the reason.
class TensorFile {
 public:
  explicit TensorFile(const std::string& path);

  // The same of a file's bytes in memory, which must outlive this object. `name` stands for the path in messages.
  TensorFile(std::string_view bytes, const std::string& name);

  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  // The tensor's elements as float, exactly; F32, F16 and BF16. `shape` is what it must have.
  std::vector<float> floats(const std::string& name, const std::vector<size_t>& shape) const;

  // The same for I32.
  std::vector<int32_t> ints(const std::string& name, const std::vector<size_t>& shape) const;

  std::vector<size_t> shape(const std::string& name) const;
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }

  // Metadata that must be there and be a number.
  double number(const std::string& key) const;
  size_t size(const std::string& key) const;  // a positive whole number

 private:
  struct Tensor {
    std::string type;
    std::vector<size_t> shape;
    size_t begin, end;  // bytes within data_
  };

  void parse(std::string_view file);
  [[noreturn]] void fail(const std::string& reason) const;
  const Tensor& find(const std::string& name) const;
  const Tensor& find(const std::string& name, const std::vector<size_t>& shape) const;

  std::string path_;
  std::vector<char> read_;  // the file, where it was read here
  std::string_view data_;   // what is behind the header
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace byte_lm
#endif
