// Whether the tests are compiled with a sanitizer.
#ifndef LOOKUPFFN_TESTS_SANITIZED_H
#define LOOKUPFFN_TESTS_SANITIZED_H

namespace lookupffn {

// LOOKUPFFN_SANITIZED comes from CMake: there is no macro for the undefined-behaviour sanitizer.
#if defined(LOOKUPFFN_SANITIZED)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace lookupffn
#endif
