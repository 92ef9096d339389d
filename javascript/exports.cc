#include "exports.h"

#include <cstdlib>
#include <string>

namespace lookupffn::javascript {
namespace {

lookupffn_status failure = LOOKUPFFN_OK;
std::string failure_text, text;

}  // namespace

void keep_failure(lookupffn_status status, const char* message) {
  failure = status;
  failure_text = message;
}

const char* json_text(const nlohmann::json& value) {
  text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.c_str();
}

lookupffn_type type_named(const char* name) {
  if (!name || !*name) return LOOKUPFFN_F32;
  std::string names;
  for (const TypeInfo& type : types()) {
    if (std::string(type.name) == name) return type.type;
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  throw Error(LOOKUPFFN_INVALID_ARGUMENT, "there is no weight type '" + std::string(name) + "'; there are " + names);
}

LOOKUPFFN_EXPORTED(failure_status) const char* failure_status() { return lookupffn_status_name(failure); }
LOOKUPFFN_EXPORTED(failure_message) const char* failure_message() { return failure_text.c_str(); }

// Aligned to 64 bytes; to be given to release(). NULL where there is no memory.
LOOKUPFFN_EXPORTED(allocate) void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, bytes ? bytes : 1) == 0) return memory;
  keep_failure(LOOKUPFFN_OUT_OF_MEMORY, ("no memory for " + std::to_string(bytes) + " bytes").c_str());
  return nullptr;
}
LOOKUPFFN_EXPORTED(release) void release(void* memory) { std::free(memory); }

}  // namespace lookupffn::javascript
