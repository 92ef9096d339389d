// Files that are never seen half written.
#ifndef LOOKUPFFN_ATOMIC_FILE_H
#define LOOKUPFFN_ATOMIC_FILE_H

#include <string>

namespace lookupffn {

// Writes a temporary in the same directory, flushes it to the disk and renames it to `path`; permissions and symbolic
// links stay, see replaced_file.h. Throws std::runtime_error naming the file and the system's reason; then `path` is as it
// was and the temporary gone.
void write_file_atomically(const std::string& path, const std::string& content);

// A whole regular file: a pipe, which nobody may ever write to, is refused. Throws std::runtime_error naming it and the
// system's reason.
std::string read_file(const std::string& path);

}  // namespace lookupffn
#endif
