// The border between C++ that throws and the C API that returns codes.
#ifndef LOOKUPFFN_STATUS_H
#define LOOKUPFFN_STATUS_H

#include <cstddef>
#include <new>
#include <string>

#include "failure.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn {

// Copies the message; one that does not fit loses its middle, between characters of UTF-8. `size` is 32 or more.
void shorten_message(const char* message, char* buffer, size_t size) noexcept;

// Remembers the message for lookupffn_last_message on this thread and returns the status.
lookupffn_status fail(lookupffn_status status, const char* message) noexcept;

// Runs `body`; whatever it throws becomes a status and a message.
template <class Body>
lookupffn_status guard(Body body) noexcept {
  try {
    body();
    return LOOKUPFFN_OK;
  } catch (const Failure& failure) {
    return fail(failure.status(), failure.what());
  } catch (const std::bad_alloc&) {
    return fail(LOOKUPFFN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& exception) {
    return fail(LOOKUPFFN_INTERNAL, exception.what());
  } catch (...) {
    return fail(LOOKUPFFN_INTERNAL, "unknown exception");
  }
}

}  // namespace lookupffn
#endif
