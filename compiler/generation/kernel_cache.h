// Kernels that were generated before, so that builds which need the same code again do not wait for it.
#ifndef LOOKUPFFN_KERNEL_CACHE_H
#define LOOKUPFFN_KERNEL_CACHE_H

#include <string>
#include <vector>

namespace lookupffn {

// A directory that the environment variable LOOKUPFFN_KERNEL_CACHE names; without it nothing is cached. What is in
// there is linked into programs: a directory that is another user's, or that others may write to, is not used. An entry
// is found by the generator program's content and the arguments that decide the code, so it never needs to be thrown
// away. Thread-safe, also between processes.
class KernelCache {
 public:
  // arguments: the generator's, its path first, without the folder that it writes to.
  explicit KernelCache(const std::vector<std::string>& arguments);

  // Copies the object to `path`; false where there is none, or it cannot be copied.
  bool fetch(const std::string& path) const;

  // Keeps a copy of the object at `path`. A cache that cannot be written to is no error.
  void store(const std::string& path) const;

 private:
  std::string entry_;  // "": no cache
};

}  // namespace lookupffn
#endif
