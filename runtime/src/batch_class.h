// Numbers of tokens fall into three classes, each with kernels and schedules of its own.
#ifndef LOOKUPFFN_BATCH_CLASS_H
#define LOOKUPFFN_BATCH_CLASS_H

#include <cstddef>

namespace lookupffn {

enum BatchClass { kOne = 0, kSmall = 1, kLarge = 2 };
constexpr int kBatchClasses = 3;
constexpr const char* kBatchClassNames[kBatchClasses] = {"one", "small", "large"};

// From here on a table is read more than once by a call, and reading it table by table can pay.
constexpr size_t kLargeTokens = 128;

constexpr BatchClass batch_class_of(size_t tokens) {
  return tokens <= 1 ? kOne : tokens < kLargeTokens ? kSmall : kLarge;
}

}  // namespace lookupffn
#endif
