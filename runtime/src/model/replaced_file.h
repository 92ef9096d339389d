// Writing a file so that readers find the old one or the whole new one.
#ifndef LOOKUPFFN_REPLACED_FILE_H
#define LOOKUPFFN_REPLACED_FILE_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

namespace lookupffn {

// What could not be done: for a message that the caller words.
struct ReplaceError {
  const char* action;  // "cannot write it", ...
  int error;           // errno; 0 where what is there is no regular file
};

// A temporary file beside the target that commit() flushes to the disk and renames to it; removed without a
// commit. A file that is there keeps its permissions (and, where the system lets us, its owner and group); a
// new one has those of the umask. What a symbolic link points to is replaced, not the link, and only a
// regular file is: a rename over /dev/null would take the device away. Header only, because the compiler uses
// it too and does not link the runtime. Throws ReplaceError.
class ReplacedFile {
 public:
  explicit ReplacedFile(const std::string& path) : target_(path) {
    struct stat status;
    const bool there = ::stat(path.c_str(), &status) == 0;
    if (there) {
      if (!S_ISREG(status.st_mode)) throw ReplaceError{"is not a regular file", 0};
      const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
      if (real) target_ = real.get();
    }
    create(there ? 0600 : 0666);
    if (there && !keep_permissions(status)) {
      const int error = errno;
      close_and_remove();
      throw ReplaceError{"cannot keep its permissions", error};
    }
  }

  ~ReplacedFile() { close_and_remove(); }
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;

  void write(const void* bytes, size_t size) {
    const char* next = static_cast<const char*>(bytes);
    while (size > 0) {
      // One call writes at most 2 GiB - 4 KiB on Linux; stay under any such limit.
      const ssize_t written = ::write(descriptor_, next, std::min(size, size_t{1} << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw ReplaceError{"cannot write it", errno};
      next += written;
      size -= static_cast<size_t>(written);
    }
  }

  void commit() {
    // EINVAL: this file system flushes by itself.
    if (::fsync(descriptor_) != 0 && errno != EINVAL) throw ReplaceError{"cannot write it", errno};
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) throw ReplaceError{"cannot write it", errno};
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw ReplaceError{"cannot replace it", errno};
    temporary_.clear();
    // The new name survives a power cut only once the folder is on the disk too. Some file systems cannot
    // flush a folder; the file is complete all the same, so that is no failure.
    const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
      (void)::fsync(folder);
      ::close(folder);
    }
  }

 private:
  static std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
  }

  void create(mode_t mode) {
    static std::atomic<unsigned> counter{0};
    const size_t slash = target_.rfind('/');
    const std::string base = slash == std::string::npos ? target_ : target_.substr(slash + 1);
    if (base.empty()) throw ReplaceError{"cannot create it", target_.empty() ? ENOENT : EISDIR};
    // The leading dot keeps it from programs that list a directory's records or modules. Names of other
    // processes, of another container too, may be there: take the next.
    for (int attempt = 0; attempt < 1000 && descriptor_ < 0; ++attempt) {
      temporary_ = folder_of(target_) + "." + base.substr(0, 200) + "." + std::to_string(::getpid()) + "-" +
                   std::to_string(counter.fetch_add(1));
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (descriptor_ < 0 && errno != EEXIST) break;
    }
    if (descriptor_ >= 0) return;
    temporary_.clear();
    throw ReplaceError{"cannot create it", errno};
  }

  bool keep_permissions(const struct stat& old) {
    mode_t mode = old.st_mode & 0777;
    struct stat made;
    if (::fstat(descriptor_, &made) != 0) return false;
    if (made.st_uid != old.st_uid || made.st_gid != old.st_gid) {
      const bool group =
          ::fchown(descriptor_, old.st_uid, old.st_gid) == 0 || ::fchown(descriptor_, static_cast<uid_t>(-1), old.st_gid) == 0;
      if (!group) mode &= ~mode_t{070};  // what the old group was given is not for another
    }
    return ::fchmod(descriptor_, mode) == 0 || (made.st_mode & 0777) == mode;
  }

  void close_and_remove() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::string target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace lookupffn
#endif
