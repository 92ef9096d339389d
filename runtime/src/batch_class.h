// Numbers of tokens fall into three classes, each with kernels and schedules of its own: a hash and a gather differ in
// where many tokens begin.
#ifndef LOOKUPFFN_BATCH_CLASS_H
#define LOOKUPFFN_BATCH_CLASS_H

#include <cstddef>

namespace lookupffn {

enum BatchClass { kOne = 0, kSmall = 1, kLarge = 2 };
constexpr int kBatchClasses = 3;
constexpr const char* kBatchClassNames[kBatchClasses] = {"one", "small", "large"};

// From here on a hash can fill the largest tiles of tokens.
constexpr size_t kLargeHashTokens = 32;
// From here on a gather reads rows more than once, and reading them table by table can pay.
constexpr size_t kLargeGatherTokens = 128;

constexpr BatchClass hash_batch_class(size_t tokens) {
  return tokens <= 1 ? kOne : tokens < kLargeHashTokens ? kSmall : kLarge;
}
constexpr BatchClass gather_batch_class(size_t tokens) {
  return tokens <= 1 ? kOne : tokens < kLargeGatherTokens ? kSmall : kLarge;
}

}  // namespace lookupffn
#endif
