// The C sources that make a set of generated kernels a kernel library (lookupffn/kernels.h).
#ifndef LOOKUPFFN_KERNEL_TABLE_H
#define LOOKUPFFN_KERNEL_TABLE_H

#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct KernelTableEntry {
  KernelSpec spec;
  Schedule schedule;
  std::string provenance;
  std::string function_name;  // defines int FUNCTION_NAME_argv(void**)
};

// C source of `const lookupffn_kernel_library NAME_kernel_library`, hidden from other modules; compiled with
// -DLOOKUPFFN_KERNEL_MODULE it is the exported lookupffn_kernel_library_v1 in its place.
// Throws std::runtime_error where library is no C identifier.
std::string kernel_table_source(const std::string& library, const std::vector<KernelTableEntry>& entries);

// C source of lookupffn_status NAME_register(void), and the header that declares it for C and C++.
std::string registration_source(const std::string& library);
std::string registration_header(const std::string& library);

// The text of the runtime's public headers that these sources include, as they were when this program was
// built: whoever compiles the sources needs no others.
const char* kernels_header_text();    // lookupffn/kernels.h
const char* lookupffn_header_text();  // lookupffn/lookupffn.h

bool is_c_identifier(const std::string& name);

}  // namespace lookupffn
#endif
