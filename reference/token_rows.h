// Rows of values, a token each, from safetensors files.
#ifndef LOOKUPFFN_TOKEN_ROWS_H
#define LOOKUPFFN_TOKEN_ROWS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "safetensors.h"

namespace lookupffn {

// The tensor's values. Its shape is [tokens, columns]; tokens is checked unless it is kAnyTokens. Throws
// Failure that names file, tensor and what is wrong.
constexpr size_t kAnyTokens = SIZE_MAX;
std::vector<float> float_rows(const SafetensorsFile& file, const std::string& tensor, size_t tokens, size_t columns);
std::vector<int32_t> int_rows(const SafetensorsFile& file, const std::string& tensor, size_t tokens, size_t columns);

}  // namespace lookupffn
#endif
