#include "status.h"

#include <cstring>

#ifndef LOOKUPFFN_VERSION
#error "the build defines LOOKUPFFN_VERSION"
#endif

namespace lookupffn {
namespace {
// A fixed buffer: reporting that memory ran out must not need memory.
thread_local char last_message[1024];
}  // namespace

lookupffn_status fail(lookupffn_status status, const char* message) noexcept {
  std::strncpy(last_message, message, sizeof last_message - 1);
  last_message[sizeof last_message - 1] = '\0';
  return status;
}
}  // namespace lookupffn

extern "C" {

const char* lookupffn_last_message(void) { return lookupffn::last_message; }

const char* lookupffn_version(void) { return LOOKUPFFN_VERSION; }

const char* lookupffn_status_name(lookupffn_status status) {
  switch (status) {
    case LOOKUPFFN_OK: return "ok";
    case LOOKUPFFN_INVALID_ARGUMENT: return "invalid_argument";
    case LOOKUPFFN_IO_ERROR: return "io_error";
    case LOOKUPFFN_MALFORMED_MODEL: return "malformed_model";
    case LOOKUPFFN_NOT_FOUND: return "not_found";
    case LOOKUPFFN_UNSUPPORTED_ISA: return "unsupported_isa";
    case LOOKUPFFN_NO_KERNEL: return "no_kernel";
    case LOOKUPFFN_INCOMPATIBLE_KERNELS: return "incompatible_kernels";
    case LOOKUPFFN_OUT_OF_MEMORY: return "out_of_memory";
    case LOOKUPFFN_INTERNAL: return "internal";
  }
  return "unknown";
}

}  // extern "C"
