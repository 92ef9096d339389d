// What the functions that JavaScript calls have in common: how they are exported, and how they fail. A pointer or text that is
// NULL, or a count that is -1, is a failure: failure_status() and failure_message() say which. A module has one thread.
#ifndef LOOKUPFFN_JAVASCRIPT_EXPORTS_H
#define LOOKUPFFN_JAVASCRIPT_EXPORTS_H

#include <exception>
#include <new>
#include <nlohmann/json.hpp>

#include "lookupffn/lookupffn.hpp"

#define LOOKUPFFN_EXPORTED(name) extern "C" __attribute__((export_name(#name)))

namespace lookupffn::javascript {

// Keeps a failure for failure_status() and failure_message().
void keep_failure(lookupffn_status status, const char* message);

// The value as JSON of ASCII; good until the next call.
const char* json_text(const nlohmann::json& value);

// Runs body(); what it throws is kept, and the result is `otherwise`.
template <class Result, class Body>
Result guarded(Result otherwise, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    keep_failure(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    keep_failure(LOOKUPFFN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    keep_failure(LOOKUPFFN_INTERNAL, error.what());
  }
  return otherwise;
}

// The type of a name; NULL or "" is f32. Throws Error (LOOKUPFFN_INVALID_ARGUMENT) with the names that there are.
lookupffn_type type_named(const char* name);

}  // namespace lookupffn::javascript
#endif
