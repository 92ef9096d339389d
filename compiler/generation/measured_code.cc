#include "measured_code.h"

#include <stdexcept>

#include "object_code_hash.h"

namespace lookupffn {

CodeComparison compare_measured_code(const std::string& measured, const std::string& object_path) {
  if (measured.empty()) return {CodeMatch::kNotRecorded, ""};
  try {
    return {object_code_hash(object_path) == measured ? CodeMatch::kSame : CodeMatch::kOther, ""};
  } catch (const std::runtime_error& error) {
    return {CodeMatch::kNotCompared, error.what()};
  }
}

std::string code_text(const CodeComparison& code) {
  switch (code.match) {
    case CodeMatch::kSame:
      return "same";
    case CodeMatch::kOther:
      return "other";
    case CodeMatch::kNotRecorded:
      return "not recorded";
    case CodeMatch::kNotCompared:
      break;
  }
  return "not compared: " + code.reason;
}

std::string code_sentence(const CodeComparison& code) {
  switch (code.match) {
    case CodeMatch::kSame:
      return "was tuned on the code that is generated now";
    case CodeMatch::kOther:
      return "was tuned on other code (generator or compiler changed since): tune again";
    case CodeMatch::kNotRecorded:
      return "its measured code was not recorded";
    case CodeMatch::kNotCompared:
      break;
  }
  return code_text(code);
}

std::string code_remark(const CodeComparison& code) {
  switch (code.match) {
    case CodeMatch::kOther:
      return "; tuned on other code";
    case CodeMatch::kNotRecorded:
      return "; its measured code was not recorded";
    case CodeMatch::kSame:
    case CodeMatch::kNotCompared:
      break;
  }
  return "";
}

}  // namespace lookupffn
