// Reads safetensors files: 8 bytes of header length (little-endian), a JSON header, the tensors' bytes.
//
// Everything is checked before anything is used: a SafetensorsFile that exists is one whose tensors all lie
// inside the bytes, do not overlap and leave no byte over, whose element types are known and whose sizes
// agree with their shapes.
#ifndef LOOKUPFFN_SAFETENSORS_H
#define LOOKUPFFN_SAFETENSORS_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor_view.h"

namespace lookupffn {

class SafetensorsFile {
 public:
  // Opens the file, reads its header, and keeps it open: tensors are read when they are asked for. It should not change
  // meanwhile: what another process writes into it shows, unchecked, and reading what it cut off throws Failure
  // (LOOKUPFFN_IO_ERROR). Replacing the file by renaming another over it is fine, and is what write_safetensors does.
  // Throws Failure: LOOKUPFFN_IO_ERROR where it cannot be opened or read, LOOKUPFFN_MALFORMED_MODEL naming
  // the file, the tensor and the reason where its bytes are no safetensors file.
  explicit SafetensorsFile(const std::string& path);

  // The same of bytes in memory (any alignment), which stay the caller's, must outlive this object and not
  // change. `name` stands for the file's in messages.
  SafetensorsFile(const void* bytes, size_t size, const std::string& name);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  // The path or the name given for memory.
  const std::string& name() const { return name_; }

  // In the order of their bytes in the file; valid while this object lives. Thread-safe, as are all readers here.
  const std::vector<TensorView>& tensors() const { return tensors_; }

  // The tensor of that name, or NULL.
  const TensorView* find(const std::string& name) const;

  // The element type as the file spells it ("F64", "I8", ...) of one of tensors(), which find() returns too.
  const char* type_name(const TensorView& tensor) const;

  // The header's __metadata__; empty where it has none.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  void parse(const uint8_t* bytes, uint64_t size);  // bytes NULL: of file_

  std::string name_;
  std::unique_ptr<OpenFile> file_;  // NULL where the bytes are the caller's
  std::vector<TensorView> tensors_;
  std::vector<const char*> type_names_;    // of tensors_, static strings
  std::map<std::string, size_t> by_name_;  // index into tensors_
  std::map<std::string, std::string> metadata_;
};

bool has_suffix(const std::string& text, const std::string& end);

// 'name' for a message: quoted, on one line, printable, cut where it is long.
std::string quote_name(const std::string& name);

}  // namespace lookupffn
#endif
