#include "kernel_table.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

namespace lookupffn {
namespace {

std::string quoted(const std::string& text) {
  std::string literal = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      literal += '\\';
      literal += char(c);
    } else if (c < 32 || c > 126) {
      const char digits[] = "01234567";  // octal escapes end after three digits, hexadecimal ones do not
      literal += {'\\', digits[c >> 6], digits[(c >> 3) & 7], digits[c & 7]};
    } else {
      literal += char(c);
    }
  }
  return literal + "\"";
}

void check_name(const std::string& library) {
  if (!is_c_identifier(library)) {
    throw std::runtime_error("'" + library + "' cannot name a kernel library: use letters, digits and _, and no digit first");
  }
}

}  // namespace

bool is_c_identifier(const std::string& name) {
  static const std::set<std::string> keywords = {
      "auto",   "break", "case",   "char",   "class", "const", "default", "delete", "do",       "double", "else",   "enum",
      "extern", "float", "for",    "goto",   "if",    "int",   "long",    "new",    "return",   "short",  "signed", "sizeof",
      "this",   "union", "static", "struct", "throw", "try",   "switch",  "inline", "unsigned", "using",  "void",   "while"};
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) && keywords.count(name) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

std::string kernel_table_source(const std::string& library, const std::vector<KernelTableEntry>& entries) {
  check_name(library);
  std::string source =
      "/* Written by lookupffn: the kernels of library " + library + ". */\n#include \"lookupffn/kernels.h\"\n\n";
  for (const KernelTableEntry& entry : entries) {
    source += "int " + entry.function_name + "_argv(void **arguments);\n";
  }
  source += "\nstatic const lookupffn_kernel kernels[] = {\n";
  for (const KernelTableEntry& entry : entries) {
    source += "  {" + quoted(entry.spec.kernel) + ", " + quoted(entry.spec.isa) + ",\n   " +
              quoted(canonical_text(entry.spec.problem)) + ",\n   " + quoted(entry.spec.batch_class) + ", " +
              std::to_string(entry.spec.min_tokens) + "u, " + std::to_string(entry.spec.max_tokens) + "u" + ",\n   " +
              quoted(canonical_text(entry.schedule)) + ",\n   " + quoted(entry.provenance) + ", " + entry.function_name +
              "_argv},\n";
  }
  // C has no empty arrays.
  if (entries.empty()) source += "  {0, 0, 0, 0, 0, 0, 0, 0, 0}\n";
  source +=
      "};\n\n"
      "#ifdef LOOKUPFFN_KERNEL_MODULE\n"
      "#define LIBRARY lookupffn_kernel_library_v1\n"
      "#define VISIBILITY __attribute__((visibility(\"default\")))\n"
      "#else\n"
      "#define LIBRARY " +
      library +
      "_kernel_library\n"
      "#define VISIBILITY __attribute__((visibility(\"hidden\")))\n"
      "#endif\n"
      "extern VISIBILITY const lookupffn_kernel_library LIBRARY;\n"
      "const lookupffn_kernel_library LIBRARY = {LOOKUPFFN_KERNEL_ABI_VERSION, " +
      std::to_string(entries.size()) + ", " + quoted(library) + ", kernels};\n";
  return source;
}

std::string registration_source(const std::string& library) {
  check_name(library);
  return "/* Written by lookupffn. */\n#include \"lookupffn/kernels.h\"\n#include "
         "\"lookupffn/lookupffn.h\"\n\n"
         "extern __attribute__((visibility(\"hidden\"))) const lookupffn_kernel_library " +
         library + "_kernel_library;\n\nlookupffn_status " + library + "_register(void);\n\nlookupffn_status " + library +
         "_register(void) { return lookupffn_register_kernels(&" + library + "_kernel_library); }\n";
}

std::string registration_header(const std::string& library) {
  check_name(library);
  std::string guard = library + "_H";
  std::transform(guard.begin(), guard.end(), guard.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return "/* Written by lookupffn: specialised kernels for LookupFFN layers. */\n#ifndef " + guard + "\n#define " + guard +
         "\n\n#include \"lookupffn/lookupffn.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
         "/* Makes this library's kernels available to layers that are packed from now on. Call it once, "
         "before\n"
         " * packing; calling it again does no harm. Fails with LOOKUPFFN_INCOMPATIBLE_KERNELS where the "
         "kernels\n"
         " * were made for another version of lookupffn. */\nlookupffn_status " +
         library + "_register(void);\n\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
}

}  // namespace lookupffn
