#include "safetensors_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "failure.h"
#include "float_types.h"
#include "safetensors.h"

namespace lookupffn {
namespace {

[[noreturn]] void fail_argument(const std::string& message) {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, message);
}

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
std::string header_of(const std::vector<const TensorSource*>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const TensorSource* tensor : tensors) {
    if (header.contains(tensor->name) || tensor->name == "__metadata__") {
      fail_argument("tensor " + quote_name(tensor->name) + " is given twice");
    }
    const size_t end = offset + bytes_of(*tensor);
    header[tensor->name] = {{"dtype", element_type_name(tensor->type)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, end}}};
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

// The temporary file: removed unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : target_(target) {
    static std::atomic<unsigned> counter{0};
    path_ = target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("cannot create it", errno);
  }

  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* bytes, size_t size) {
    const char* next = static_cast<const char*>(bytes);
    while (size > 0) {
      // One call writes at most 2 GiB - 4 KiB on Linux; stay under any such limit.
      const ssize_t written = ::write(descriptor_, next, std::min(size, size_t{1} << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("cannot write it", errno);
      next += written;
      size -= static_cast<size_t>(written);
    }
  }

  void rename_to_target() {
    if (::fsync(descriptor_) != 0) fail("cannot write it", errno);
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail("cannot write it", errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail("cannot replace it", errno);
    renamed_ = true;
    // The new name survives a power cut only once the folder is on the disk too. Some file systems cannot
    // flush a folder; the file is complete all the same, so that is no failure.
    const size_t slash = target_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_descriptor >= 0) {
      (void)::fsync(folder_descriptor);
      ::close(folder_descriptor);
    }
  }

 private:
  [[noreturn]] void fail(const char* what, int error) const {
    throw Failure(LOOKUPFFN_IO_ERROR, target_ + ": " + what + ": " + std::strerror(error));
  }

  std::string target_, path_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

// Where the file will stand: what a symbolic link points to is replaced, not the link, and only a regular
// file is (a rename over /dev/null would take the device away).
std::string target_of(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return path;
  if (!S_ISREG(status.st_mode)) throw Failure(LOOKUPFFN_IO_ERROR, path + ": is not a regular file");
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const TensorSource*> order = in_file_order(tensors);
  const std::string header = header_of(order, metadata);
  TemporaryFile file(target_of(path));
  file.write(header.data(), header.size());
  for (const TensorSource* tensor : order) file.write(tensor->data, bytes_of(*tensor));
  file.rename_to_target();
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
