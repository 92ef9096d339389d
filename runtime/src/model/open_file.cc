#include "open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.h"

namespace lookupffn {
namespace {

// Some systems read no more at a time.
constexpr size_t kMostAtOnce = size_t(1) << 30;

[[noreturn]] void fail_io(const std::string& path, const char* what, int error) {
  throw Failure(LOOKUPFFN_IO_ERROR, path + ": " + what + ": " + std::strerror(error));
}

}  // namespace

OpenFile::OpenFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: a named pipe must be refused, not waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail_io(path, "cannot open", errno);
  try {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) fail_io(path, "cannot read the size", errno);
    if (!S_ISREG(status.st_mode)) throw Failure(LOOKUPFFN_IO_ERROR, path + ": is not a regular file");
    size_ = static_cast<uint64_t>(status.st_size);
  } catch (...) {
    ::close(descriptor_);  // no destructor runs for an object that was not finished
    throw;
  }
}

OpenFile::~OpenFile() { ::close(descriptor_); }

void OpenFile::read(uint64_t at, size_t count, void* out) const {
  char* to = static_cast<char*>(out);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, to, std::min(count, kMostAtOnce), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(path_, "cannot read", errno);
    if (got == 0) {
      throw Failure(LOOKUPFFN_IO_ERROR, path_ + ": was cut off at byte " + std::to_string(at) + " after it was opened with " +
                                            std::to_string(size_) + " bytes; open it again when it is whole");
    }
    to += got;
    at += static_cast<uint64_t>(got);
    count -= static_cast<size_t>(got);
  }
}

}  // namespace lookupffn
