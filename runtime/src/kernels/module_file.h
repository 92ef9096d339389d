// Whether a kernel library module's file is all there, asked before the loader maps it: it would read past the end of a
// half-copied one and end the process (SIGBUS).
#ifndef LOOKUPFFN_MODULE_FILE_H
#define LOOKUPFFN_MODULE_FILE_H

#include <string>

namespace lookupffn {

// Throws Failure (LOOKUPFFN_IO_ERROR) with the path and the reason where it is no regular file, no ELF file, or ends before
// what its headers say is in it.
void check_module_file(const std::string& path);

}  // namespace lookupffn
#endif
