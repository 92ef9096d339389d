// A fingerprint of a kernel's machine code, to tell whether the code that was measured is the code that is generated now.
#ifndef LOOKUPFFN_OBJECT_CODE_HASH_H
#define LOOKUPFFN_OBJECT_CODE_HASH_H

#include <string>

namespace lookupffn {

// 16 hexadecimal digits over all that runs when the one function FUNCTION_argv of an object file is called: the contents of
// the sections that it reaches, and where they refer to. Neither the function's name nor a path nor what is only a
// description (Halide's metadata, debugging, unwinding) counts. For ELF of any machine; where relocations keep their addends
// in the code (ELF's REL: 32-bit x86 and Arm) the hash may depend on the function's name.
// Throws std::runtime_error naming the file: it cannot be read, is damaged, or is no ELF object ("unknown object format").
std::string object_code_hash(const std::string& path);

// The same of a file's bytes; messages do not name a file.
std::string object_code_hash_of_bytes(const std::string& bytes);

}  // namespace lookupffn
#endif
