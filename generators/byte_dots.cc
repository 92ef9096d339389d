#include "byte_dots.h"

#include <sstream>
#include <string>

namespace lookupffn {

using namespace Halide;

namespace {

constexpr const char* kQuads = "lookupffn_quads_";
constexpr const char* kDot = "lookupffn_quad_dot";
constexpr int kLaneBytes = 16;

std::string vector_type(int elements, int element_bytes) {
  return "<" + std::to_string(elements) + " x i" + std::to_string(8 * element_bytes) + ">";
}

// A shuffle within every 16 of so many bytes, as LLVM spells it: elements of the low or the high half of a and of b in turn.
std::string interleaved(const std::string& result, const std::string& a, const std::string& b, int bytes, int element_bytes,
                        bool high) {
  const int elements = bytes / element_bytes, lane = kLaneBytes / element_bytes;
  const std::string type = vector_type(elements, element_bytes);
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

constexpr const char* kX86Dot =
    "  %result = call <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32> %sum, <16 x i32> %weights, <16 x i32> %quad)\n";
constexpr const char* kX86Declaration =
    "declare <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32>, <16 x i32>, <16 x i32>)\n";
constexpr const char* kArmDot = R"(  %w = bitcast <4 x i32> %weights to <16 x i8>
  %b = bitcast <4 x i32> %quad to <16 x i8>
  %result = call <4 x i32> @llvm.aarch64.neon.udot.v4i32.v16i8(<4 x i32> %sum, <16 x i8> %w, <16 x i8> %b)
)";
constexpr const char* kArmDeclaration =
    "declare <4 x i32> @llvm.aarch64.neon.udot.v4i32.v16i8(<4 x i32>, <16 x i8>, <16 x i8>)\n";

bool is_arm(const Target& target) { return target.arch == Target::ARM; }

}  // namespace

int quad_vector_lanes(const Target& target) { return is_arm(target) ? 4 : kQuadLanes; }

int quad_offset(const Target& target) { return is_arm(target) ? 128 : 0; }

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
  const int lanes = quad_vector_lanes(target);
  const std::string vector = vector_type(lanes, 4), bytes = vector_type(4 * lanes, 1), halves = vector_type(2 * lanes, 2);
  const std::string suffix = "x" + std::to_string(lanes);
  std::ostringstream source;
  for (int q = 0; q < kQuadVectors; ++q) {
    source << "define weak_odr " << vector << " @" << kQuads << q << suffix << "(" << vector << " %a, " << vector << " %b, "
           << vector << " %c, " << vector << " %d) alwaysinline readnone {\n";
    for (const char* row : {"a", "b", "c", "d"}) {
      source << "  %" << row << "_bytes = bitcast " << vector << " %" << row << " to " << bytes << "\n";
    }
    source << interleaved("%ab", "%a_bytes", "%b_bytes", 4 * lanes, 1, q / 2)
           << interleaved("%cd", "%c_bytes", "%d_bytes", 4 * lanes, 1, q / 2) << "  %ab_pairs = bitcast " << bytes << " %ab to "
           << halves << "\n  %cd_pairs = bitcast " << bytes << " %cd to " << halves << "\n"
           << interleaved("%quads", "%ab_pairs", "%cd_pairs", 4 * lanes, 2, q % 2) << "  %result = bitcast " << halves
           << " %quads to " << vector << "\n  ret " << vector << " %result\n}\n";
  }
  source << "define weak_odr " << vector << " @" << kDot << suffix << "(" << vector << " %sum, " << vector << " %weights, "
         << vector << " %quad) alwaysinline readnone {\n"
         << (is_arm(target) ? kArmDot : kX86Dot) << "  ret " << vector << " %result\n}\n"
         << (is_arm(target) ? kArmDeclaration : kX86Declaration);
  return inlined_functions(target, "lookupffn_byte_dots", source.str());
}

}  // namespace lookupffn
