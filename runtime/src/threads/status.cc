#include "status.h"

#include <cstring>

#ifndef LOOKUPFFN_VERSION
#error "the build defines LOOKUPFFN_VERSION"
#endif

namespace lookupffn {
namespace {
// A fixed buffer: reporting that memory ran out must not need memory.
thread_local char last_message[1024];

constexpr char kGap[] = "...";

// Whether the byte goes on with a character of UTF-8 that an earlier one began.
bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }
}  // namespace

void shorten_message(const char* message, char* buffer, size_t size) noexcept {
  const size_t length = std::strlen(message);
  if (length < size) {
    std::memcpy(buffer, message, length + 1);
    return;
  }
  // What is long is a name, which comes first; the reason comes last.
  const size_t room = size - sizeof kGap;
  size_t head = room / 3, tail = length - (room - head);
  for (int i = 0; i < 3 && head > 0 && continues(message[head]); ++i) --head;
  for (int i = 0; i < 3 && continues(message[tail]); ++i) ++tail;
  std::memcpy(buffer, message, head);
  std::memcpy(buffer + head, kGap, sizeof kGap - 1);
  std::memcpy(buffer + head + sizeof kGap - 1, message + tail, length - tail + 1);
}

lookupffn_status fail(lookupffn_status status, const char* message) noexcept {
  shorten_message(message, last_message, sizeof last_message);
  return status;
}
}  // namespace lookupffn

extern "C" {

const char* lookupffn_last_message(void) { return lookupffn::last_message; }

const char* lookupffn_version(void) { return LOOKUPFFN_VERSION; }

const char* lookupffn_status_name(lookupffn_status status) {
  switch (status) {
    case LOOKUPFFN_OK:
      return "ok";
    case LOOKUPFFN_INVALID_ARGUMENT:
      return "invalid_argument";
    case LOOKUPFFN_IO_ERROR:
      return "io_error";
    case LOOKUPFFN_MALFORMED_MODEL:
      return "malformed_model";
    case LOOKUPFFN_NOT_FOUND:
      return "not_found";
    case LOOKUPFFN_UNSUPPORTED_ISA:
      return "unsupported_isa";
    case LOOKUPFFN_NO_KERNEL:
      return "no_kernel";
    case LOOKUPFFN_INCOMPATIBLE_KERNELS:
      return "incompatible_kernels";
    case LOOKUPFFN_OUT_OF_MEMORY:
      return "out_of_memory";
    case LOOKUPFFN_INTERNAL:
      return "internal";
  }
  return "unknown";
}

}  // extern "C"
