// A regular file that is read by offset, not mapped: what another process cuts off is an error, not SIGBUS.
#ifndef LOOKUPFFN_OPEN_FILE_H
#define LOOKUPFFN_OPEN_FILE_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace lookupffn {

class OpenFile {
 public:
  // Throws Failure (LOOKUPFFN_IO_ERROR) with the path and the reason where it cannot be opened or is no regular file;
  // does not wait for the writer of a named pipe.
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened

  // Bytes `at` to `at` + `count`. Throws Failure (LOOKUPFFN_IO_ERROR) where the file has become shorter or cannot be
  // read. Thread-safe, and moves no offset that a fork's child shares.
  void read(uint64_t at, size_t count, void* out) const;

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_;
};

}  // namespace lookupffn
#endif
