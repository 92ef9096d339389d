// Which source files a kernel's generator is made of, and a fingerprint of what they say.
#ifndef LOOKUPFFN_GENERATOR_SOURCES_H
#define LOOKUPFFN_GENERATOR_SOURCES_H

#include <set>
#include <string>

namespace lookupffn {

// Names of the files in `folder` that KERNEL_generator.cc is compiled from: itself, the headers of the folder
// that it includes with #include "...", the .cc beside each of those, and what all of them include in turn.
// Headers that are not in the folder (Halide's) do not count. Throws std::runtime_error where a file cannot
// be read.
std::set<std::string> generator_sources(const std::string& folder, const std::string& kernel);

// 16 hexadecimal digits of these files' code. Comments and white space do not count, so that what is only
// said or laid out otherwise leaves them as they are.
std::string generator_sources_hash(const std::string& folder, const std::string& kernel);

}  // namespace lookupffn
#endif
