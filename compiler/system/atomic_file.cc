#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "replaced_file.h"

namespace lookupffn {
namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path, int error) {
  std::string hint;
  if (error == ENOSPC || error == EDQUOT) hint = ": make room and try again";
  if (error == EACCES || error == EROFS || error == EPERM) hint = ": choose another directory or make it writable";
  if (error == ENOENT) hint = ": does its directory exist?";
  throw std::runtime_error("cannot " + action + " '" + path + "': " + std::strerror(error) + hint);
}

}  // namespace

void write_file_atomically(const std::string& path, const std::string& content) {
  try {
    ReplacedFile file(path);
    file.write(content.data(), content.size());
    file.commit();
  } catch (const ReplaceError& failed) {
    if (failed.error == 0) throw std::runtime_error("cannot write '" + path + "': it is a directory, a device or a pipe");
    fail("write", path, failed.error);
  }
}

std::string read_file(const std::string& path) {
  // Without waiting for the writer of a pipe that somebody put there.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) fail("read", path, errno);
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    throw std::runtime_error("cannot read '" + path + "': it is not a regular file");
  }
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
