#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace lookupffn {
namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path, int error) {
  std::string hint;
  if (error == ENOSPC || error == EDQUOT) hint = ": make room and try again";
  if (error == EACCES || error == EROFS || error == EPERM)
    hint = ": choose another directory or make it writable";
  if (error == ENOENT) hint = ": does its directory exist?";
  throw std::runtime_error("cannot " + action + " '" + path + "': " + std::strerror(error) + hint);
}

}  // namespace

void write_file_atomically(const std::string& path, const std::string& content) {
  static std::atomic<unsigned> counter{0};
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  // The leading dot keeps it from programs that list a directory's records or modules.
  const std::string temporary =
      directory + "/." + base + "." + std::to_string(getpid()) + "-" + std::to_string(counter++);

  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) fail("write", path, errno);
  int error = 0;
  for (size_t done = 0; done < content.size() && error == 0;) {
    const ssize_t count = write(file, content.data() + done, content.size() - done);
    if (count >= 0) {
      done += size_t(count);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && fsync(file) != 0 && errno != EINVAL)
    error = errno;  // EINVAL: this file system flushes by itself
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    fail("write", path, error);
  }
  // The rename itself reaches the disk with its directory. Not every file system can do this; the file is
  // whole either way.
  const int parent = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
}

std::string read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("read", path, errno);
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = read(file, buffer, sizeof buffer);
    if (count > 0) {
      content.append(buffer, size_t(count));
    } else if (count == 0) {
      break;
    } else if (errno != EINTR) {
      const int error = errno;
      close(file);
      fail("read", path, error);
    }
  }
  close(file);
  return content;
}

}  // namespace lookupffn
