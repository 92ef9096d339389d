// Whether the code that is generated now is the code that a schedule record's measurements are of.
#ifndef LOOKUPFFN_MEASURED_CODE_H
#define LOOKUPFFN_MEASURED_CODE_H

#include <string>

namespace lookupffn {

enum class CodeMatch {
  kSame,
  kOther,        // the generator or the compiler changed since
  kNotRecorded,  // the record does not say what code was measured
  kNotCompared,  // see CodeComparison::reason
};

struct CodeComparison {
  CodeMatch match = CodeMatch::kNotCompared;
  std::string reason;  // one line
};

// measured: a record's object_hash. Does not throw: an object that cannot be read as code is not compared.
CodeComparison compare_measured_code(const std::string& measured, const std::string& object_path);

// For programs that read: "same", "other", "not recorded" or "not compared: REASON".
std::string code_text(const CodeComparison& code);

// For people, of a record: "was tuned on other code (generator or compiler changed since): tune again", "its measured code
// was not recorded", ...
std::string code_sentence(const CodeComparison& code);

// To follow a schedule's provenance: "", or "; tuned on other code", or "; its measured code was not recorded".
std::string code_remark(const CodeComparison& code);

}  // namespace lookupffn
#endif
