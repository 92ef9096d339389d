#include "tensor_reader.h"

#include <locale.h>
#include <stdlib.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "failure.h"
#include "float_types.h"

namespace lookupffn {
namespace {

std::string shape_text(const std::vector<size_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// The whole text as a number, in no locale, unlike strtod.
bool parse_double(const std::string& text, double& value) {
#if defined(__cpp_lib_to_chars)
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
#else  // LLVM's library before 20 reads whole numbers only
  static const locale_t classic = newlocale(LC_ALL_MASK, "C", nullptr);
  if (text.empty() || text[0] == '+' || text.find_first_not_of("+-.0123456789eE") != std::string::npos) return false;
  char* stop = nullptr;
  value = strtod_l(text.c_str(), &stop, classic);
  return stop == text.c_str() + text.size();
#endif
}

// The whole text as a finite float.
bool parse_float(const std::string& text, float& value) {
  double wide = 0;
  if (!parse_double(text, wide) || !(std::abs(wide) <= std::numeric_limits<float>::max())) return false;
  value = static_cast<float>(wide);
  return true;
}

}  // namespace

const TensorView& TensorReader::tensor(const char* name) const {
  const TensorView* found = file_.find(prefix_ + name);
  if (found == nullptr) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL, file_.name() + ": tensor " + quote_name(prefix_ + name) + " is missing");
  }
  const bool readable =
      found->type == ElementType::kF32 || found->type == ElementType::kF16 || found->type == ElementType::kBF16;
  if (!readable) refuse(*found, std::string("has the dtype ") + file_.type_name(*found) + "; F32, F16 or BF16 is needed");
  return *found;
}

void TensorReader::check_rank(const TensorView& view, size_t rank) const {
  if (view.shape.size() == rank) return;
  refuse(view, "has " + std::to_string(view.shape.size()) + " dimensions; " + std::to_string(rank) + " are needed");
}

void TensorReader::check_range(const TensorView& view, const char* what, size_t value, size_t largest) const {
  if (value >= 1 && value <= largest) return;
  refuse(view,
         std::string("has ") + what + " " + std::to_string(value) + "; 1 to " + std::to_string(largest) + " is supported");
}

void TensorReader::expect_shape(const TensorView& view, const std::vector<size_t>& expected) const {
  if (view.shape == expected) return;
  refuse(view, "has the shape " + shape_text(view.shape) + "; the layer's other tensors need " + shape_text(expected));
}

void TensorReader::check_finite(const TensorView& view) const {
  const size_t index = first_non_finite(view);
  if (index == kAllFinite) return;
  refuse(view, "has a value that is NaN or infinite, its element " + std::to_string(index));
}

void TensorReader::refuse(const TensorView& view, const std::string& reason) const {
  throw Failure(LOOKUPFFN_MALFORMED_MODEL, file_.name() + ": tensor " + quote_name(view.name) + " " + reason);
}

float TensorReader::metadata_float(const char* key, float otherwise) const {
  const auto found = file_.metadata().find(key);
  if (found == file_.metadata().end()) return otherwise;
  float value = 0;
  if (!parse_float(found->second, value)) refuse_metadata(key, "not a finite number");
  return value;
}

void TensorReader::refuse_metadata(const char* key, const std::string& reason) const {
  throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                file_.name() + ": __metadata__ '" + key + "' is " + quote_name(file_.metadata().at(key)) + ", " + reason);
}

}  // namespace lookupffn
