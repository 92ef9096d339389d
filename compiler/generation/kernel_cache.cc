#include "kernel_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"
#include "content_hash.h"

namespace lookupffn {

namespace {

bool only_ours(const char* directory) {
  struct stat status;
  return stat(directory, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & 022) == 0;
}

}  // namespace

KernelCache::KernelCache(const std::vector<std::string>& arguments) {
  const char* directory = std::getenv("LOOKUPFFN_KERNEL_CACHE");
  if (!directory || !*directory || !only_ours(directory)) return;
  try {
    std::string key = read_file(arguments.at(0));
    for (size_t i = 1; i < arguments.size(); ++i) key += '\0' + arguments[i];
    entry_ = std::string(directory) + "/" + content_hash(key) + ".o";
  } catch (const std::runtime_error&) {
    // Who runs the generator will say what is wrong with it.
  }
}

bool KernelCache::fetch(const std::string& path) const {
  struct stat status;
  if (entry_.empty() || stat(entry_.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  std::error_code error;
  return std::filesystem::copy_file(entry_, path, std::filesystem::copy_options::overwrite_existing, error);
}

void KernelCache::store(const std::string& path) const {
  if (entry_.empty()) return;
  try {
    write_file_atomically(entry_, read_file(path));
  } catch (const std::runtime_error&) {
  }
}

}  // namespace lookupffn
