// manifest.json of a kernel library, by which a later build knows it for its own.
#ifndef LOOKUPFFN_KERNEL_MANIFEST_H
#define LOOKUPFFN_KERNEL_MANIFEST_H

#include <set>
#include <string>
#include <vector>

namespace lookupffn {

// A number of this name makes a JSON object a kernel library's manifest.
constexpr char kManifestMark[] = "lookupffn_kernel_library";

// The files that a kernel library of a name may consist of, relative to its directory. triples: the folders of its
// architectures, where it has several.
std::set<std::string> result_files(const std::string& name, const std::vector<std::string>& triples);

// The files of the library that a manifest describes. Throws std::exception where the text is no such manifest.
std::set<std::string> files_of_manifest(const std::string& json_text);

}  // namespace lookupffn
#endif
