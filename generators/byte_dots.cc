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

constexpr const char* kX86Declaration =
    "declare <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32>, <16 x i32>, <16 x i32>)\n";
constexpr const char* kArmDeclaration =
    "declare <4 x i32> @llvm.aarch64.neon.udot.v4i32.v16i8(<4 x i32>, <16 x i8>, <16 x i8>)\n";

std::string x86_dot() {
  return "  %result = call <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32> %sum, <16 x i32> %weights, <16 x i32> %quad)\n";
}

// "<i32 FROM, i32 FROM + 1, ...>"
std::string lanes_from(int from, int count) {
  std::string text = "<" + std::to_string(count) + " x i32> <";
  for (int k = 0; k < count; ++k) text += (k > 0 ? ", i32 " : "i32 ") + std::to_string(from + k);
  return text + ">";
}

// Of four registers each.
std::string arm_dot() {
  std::ostringstream text;
  for (int part = 0; part < 4; ++part) {
    const std::string sum = "%sum" + std::to_string(part), dot = "%dot" + std::to_string(part);
    text << "  " << sum << " = shufflevector <16 x i32> %sum, <16 x i32> undef, " << lanes_from(4 * part, 4) << "\n";
    for (const std::string factor : {"%weights", "%quad"}) {
      const std::string words = factor + std::to_string(part);
      text << "  " << words << " = shufflevector <16 x i32> " << factor << ", <16 x i32> undef, " << lanes_from(4 * part, 4)
           << "\n  " << words << "_bytes = bitcast <4 x i32> " << words << " to <16 x i8>\n";
    }
    text << "  " << dot << " = call <4 x i32> @llvm.aarch64.neon.udot.v4i32.v16i8(<4 x i32> " << sum << ", <16 x i8> %weights"
         << part << "_bytes, <16 x i8> %quad" << part << "_bytes)\n";
  }
  text << "  %low = shufflevector <4 x i32> %dot0, <4 x i32> %dot1, " << lanes_from(0, 8)
       << "\n  %high = shufflevector <4 x i32> %dot2, <4 x i32> %dot3, " << lanes_from(0, 8)
       << "\n  %result = shufflevector <8 x i32> %low, <8 x i32> %high, " << lanes_from(0, 16) << "\n";
  return text.str();
}

}  // namespace

int quad_offset(const Target& target) { return target.arch == Target::ARM ? 128 : 0; }

Expr with_offset(const Expr& quad, const Target& target) {
  // 128 turns the highest bit of a byte over, and nothing is carried.
  return quad_offset(target) == 128 ? quad ^ Expr(int32_t(0x80808080u)) : quad;
}

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
         << " %quad) alwaysinline readnone {\n"
         << (target.arch == Target::ARM ? arm_dot() : x86_dot()) << "  ret " << vector << " %result\n}\n"
         << (target.arch == Target::ARM ? kArmDeclaration : kX86Declaration);
  return inlined_functions(target, "lookupffn_byte_dots", source.str());
}

}  // namespace lookupffn
