#include "owned_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

constexpr char kToken[] = ".lookupffn-owner";
constexpr char kNewToken[] = ".lookupffn-owner.new";
constexpr size_t kRandomLetters = 6;  // mkdtemp's
constexpr int kRemovals = 100;        // 20 ms apart

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

// A copy or a renamed directory is not what the token speaks of.
std::string token_text(const std::string& name, ino_t inode) {
  return "lookupffn temporary directory " + name + " " + std::to_string(inode) + "\n";
}

bool ours_alone(const struct stat& status) {
  return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 022) == 0;
}

bool locks_may_stay_on_this_machine(const fs::path& folder) {
  constexpr unsigned long kNetworked[] = {0x6969 /* NFS */,      0x517b /* SMB */,        0xff534d42 /* CIFS */,
                                          0xfe534d42 /* SMB2 */, 0x65735546 /* FUSE */,   0x01021997 /* 9P */,
                                          0x00c36400 /* Ceph */, 0x0bd00bd0 /* Lustre */, 0x47504653 /* GPFS */};
  struct statfs status;
  if (statfs(folder.c_str(), &status) != 0) return true;
  // Some systems have a signed type here.
  const unsigned long type = static_cast<unsigned long>(status.f_type) & 0xffffffff;
  return std::find(std::begin(kNetworked), std::end(kNetworked), type) != std::end(kNetworked);
}

// The token goes last: a removal that is interrupted can be ended by the next process.
bool remove_tree(const fs::path& directory) {
  std::error_code error;
  bool whole = true;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename() == kToken) continue;
    std::error_code failed;
    fs::remove_all(at->path(), failed);
    whole = whole && !failed;
  }
  if (error || !whole) return error == std::errc::no_such_file_or_directory;
  unlink((directory / kToken).c_str());
  return rmdir(directory.c_str()) == 0 || errno == ENOENT;
}

bool follows_pattern(const std::string& name, const std::string& prefix) {
  return name.size() == prefix.size() + kRandomLetters && name.compare(0, prefix.size(), prefix) == 0 &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](unsigned char c) { return std::isalnum(c); });
}

// The lock of a directory whose owner is dead; -1 where nothing proves that it is ours and dead.
int lock_of_dead(const fs::path& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status, token;
  if (directory < 0 || fstat(directory, &status) != 0 || !ours_alone(status)) return -1;
  Descriptor lock(openat(directory, kToken, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (lock < 0 || fstat(lock, &token) != 0 || !S_ISREG(token.st_mode) || token.st_uid != geteuid()) return -1;
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) return -1;
  const std::string wanted = token_text(path.filename().string(), status.st_ino);
  std::string found(wanted.size() + 1, '\0');
  const ssize_t got = pread(lock, found.data(), found.size(), 0);
  if (got < 0 || found.substr(0, static_cast<size_t>(got)) != wanted) return -1;
  return lock.release();
}

}  // namespace

OwnedDirectory::OwnedDirectory(const fs::path& parent, const std::string& prefix, const std::string& remedy) {
  const auto fail = [&](const std::string& reason) {
    throw std::runtime_error("cannot make a directory in '" + parent.string() + "': " + reason + "; " + remedy);
  };
  remove_dead(parent, prefix);
  std::string name = (parent / (prefix + std::string(kRandomLetters, 'X'))).string();
  if (mkdtemp(name.data()) == nullptr) fail(std::strerror(errno));
  path_ = name;
  try {
    const Descriptor directory(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status;
    if (directory < 0 || fstat(directory, &status) != 0) fail(std::strerror(errno));
    if (!ours_alone(status)) fail("its file system lets others write to what is made there");
    device_ = status.st_dev;
    inode_ = status.st_ino;
    try {
      make_token(directory);
    } catch (const std::system_error& error) {
      fail(std::strerror(error.code().value()));
    }
  } catch (...) {
    if (lock_ >= 0) close(lock_);
    remove_tree(path_);
    throw;
  }
}

// Under its own name only when it is locked: others never find one that is not.
void OwnedDirectory::make_token(int directory) {
  const auto fail = [] { throw std::system_error(errno, std::generic_category()); };
  Descriptor lock(openat(directory, kNewToken, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (lock < 0) fail();
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    // No locks here. Without a token nobody takes this for a dead process's directory.
    unlinkat(directory, kNewToken, 0);
    return;
  }
  const std::string text = token_text(path_.filename().string(), inode_);
  const ssize_t written = write(lock, text.data(), text.size());
  if (written >= 0 && written != static_cast<ssize_t>(text.size())) errno = ENOSPC;
  if (written != static_cast<ssize_t>(text.size())) fail();
  if (renameat(directory, kNewToken, directory, kToken) != 0) fail();
  lock_ = lock.release();
}

OwnedDirectory::~OwnedDirectory() {
  remove();
  if (lock_ >= 0) close(lock_);
}

bool OwnedDirectory::is_there() const {
  struct stat status;
  return lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

void OwnedDirectory::remove() const {
  for (int attempt = 0; attempt < kRemovals && is_there() && !remove_tree(path_); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void OwnedDirectory::remove_dead(const fs::path& parent, const std::string& prefix) {
  if (locks_may_stay_on_this_machine(parent)) return;
  std::error_code error;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    if (!follows_pattern(at->path().filename().string(), prefix)) continue;
    const Descriptor lock(lock_of_dead(at->path()));
    if (lock >= 0) remove_tree(at->path());
  }
}

}  // namespace lookupffn
