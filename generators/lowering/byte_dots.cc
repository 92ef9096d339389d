#include "byte_dots.h"

#include <sstream>
#include <string>

namespace lookupffn {

using namespace Halide;

namespace {

constexpr const char* kQuads = "lookupffn_quads_";
constexpr const char* kDot = "lookupffn_quad_dot";
constexpr int kBytes = 64, kLaneBytes = 16;

// A shuffle within lanes, as LLVM spells it: elements of the low or the high half of each lane of a and of b in turn.
std::string interleaved(const std::string& result, const std::string& a, const std::string& b, int element_bytes, bool high) {
  const int elements = kBytes / element_bytes, lane = kLaneBytes / element_bytes;
  const std::string type = "<" + std::to_string(elements) + " x i" + std::to_string(8 * element_bytes) + ">";
  std::ostringstream text;
  text << "  " << result << " = shufflevector " << type << " " << a << ", " << type << " " << b << ", <" << elements
       << " x i32> <";
  for (int k = 0; k < elements; ++k) {
    const int within = k % lane, from = k / lane * lane + (high ? lane / 2 : 0) + within / 2;
    text << (k > 0 ? ", " : "") << "i32 " << from + (within % 2) * elements;
  }
  text << ">\n";
  return text.str();
}

}  // namespace

Expr quads(const std::vector<Expr>& rows, int q) {
  return Internal::Call::make(Int(32), kQuads + std::to_string(q), rows, Internal::Call::PureExtern);
}

Expr quad_dot(const Expr& sum, const Expr& weights, const Expr& quad) {
  return Internal::Call::make(Int(32), kDot, {sum, weights, quad}, Internal::Call::PureExtern);
}

InlinedFunctions byte_dot_functions(const Target& target) {
  // Halide calls what has the name of a scalar function and the number of lanes behind it for vectors.
  const std::string vector = "<16 x i32>", bytes = "<64 x i8>", halves = "<32 x i16>";
  std::ostringstream source;
  for (int q = 0; q < kQuadVectors; ++q) {
    source << "define weak_odr " << vector << " @" << kQuads << q << "x16(" << vector << " %a, " << vector << " %b, " << vector
           << " %c, " << vector << " %d) alwaysinline readnone {\n";
    for (const char* row : {"a", "b", "c", "d"}) {
      source << "  %" << row << "_bytes = bitcast " << vector << " %" << row << " to " << bytes << "\n";
    }
    source << interleaved("%ab", "%a_bytes", "%b_bytes", 1, q / 2) << interleaved("%cd", "%c_bytes", "%d_bytes", 1, q / 2)
           << "  %ab_pairs = bitcast " << bytes << " %ab to " << halves << "\n  %cd_pairs = bitcast " << bytes << " %cd to "
           << halves << "\n"
           << interleaved("%quads", "%ab_pairs", "%cd_pairs", 2, q % 2) << "  %result = bitcast " << halves << " %quads to "
           << vector << "\n  ret " << vector << " %result\n}\n";
  }
  source << "define weak_odr " << vector << " @" << kDot << "x16(" << vector << " %sum, " << vector << " %weights, " << vector
         << " %quad) alwaysinline readnone {\n  %result = call " << vector << " @llvm.x86.avx512.vpdpbusd.512(" << vector
         << " %sum, " << vector << " %weights, " << vector << " %quad)\n  ret " << vector << " %result\n}\n"
         << "declare " << vector << " @llvm.x86.avx512.vpdpbusd.512(" << vector << ", " << vector << ", " << vector << ")\n";
  return inlined_functions(target, "lookupffn_byte_dots", source.str());
}

}  // namespace lookupffn
