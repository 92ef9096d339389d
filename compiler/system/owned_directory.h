// Temporary directories that are provably ours: nobody else's is ever removed, and nobody else can write to
// one.
#ifndef LOOKUPFFN_OWNED_DIRECTORY_H
#define LOOKUPFFN_OWNED_DIRECTORY_H

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace lookupffn {

// A new directory of mode 0700 that holds a token file: a line with the directory's own name and inode, under
// a lock for as long as this process lives. The lock, not a process id, says who is alive: it holds across
// containers that share a folder.
class OwnedDirectory {
 public:
  // Makes PARENT/PREFIXxxxxxx, after removing those of dead processes there. Throws std::runtime_error, one
  // line with the system's reason and `remedy` ("choose another --out").
  OwnedDirectory(const std::filesystem::path& parent, const std::string& prefix, const std::string& remedy);
  ~OwnedDirectory();
  OwnedDirectory(const OwnedDirectory&) = delete;
  OwnedDirectory& operator=(const OwnedDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // False once somebody else has removed or replaced it.
  bool is_there() const;

  // Removes it now. Programs that still write into it are waited for, a few seconds at most.
  void remove() const;

  // Removes what processes that have died left in `parent`: directories of this name pattern that are this
  // user's alone, hold their own token and whose lock can be taken. All others stay. Does nothing on network
  // file systems, whose locks may not reach other machines.
  static void remove_dead(const std::filesystem::path& parent, const std::string& prefix);

 private:
  void make_token(int directory);

  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  int lock_ = -1;
};

}  // namespace lookupffn
#endif
