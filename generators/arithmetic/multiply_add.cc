#include "multiply_add.h"

#include <sstream>

#include "kernel_cpu.h"

namespace lookupffn {

using namespace Halide;

namespace {

constexpr const char* kName = "lookupffn_multiply_add";
constexpr const char* kStart = "lookupffn_sum_start";

bool is_fused(const Target& target) {
  switch (target.arch) {
    case Target::X86:
      return target.has_feature(Target::FMA);
    case Target::ARM:
    case Target::RISCV:
      return true;
    default:
      return false;  // LLVM would call fmaf() a lane
  }
}

}  // namespace

Expr multiply_add(const Expr& a, const Expr& b, const Expr& c) {
  // strict_float: of a and b, too; and no module's arithmetic is lax as a whole then.
  return strict_float(Internal::Call::make(Float(32), kName, {a, b, c}, Internal::Call::PureExtern));
}

Expr sum_start() { return Internal::Call::make(Float(32), kStart, {}, Internal::Call::PureExtern); }

InlinedFunctions multiply_add_functions(const Target& target) {
  std::ostringstream source;
  source << "define weak_odr float @" << kStart << "() alwaysinline readnone {\n"
         << "  %result = call float @llvm.arithmetic.fence.f32(float 0.0)\n  ret float %result\n}\n"
         << "declare float @llvm.arithmetic.fence.f32(float)\n";
  // Halide calls what has the name of a scalar function and the number of lanes behind it for vectors, and cuts longer
  // ones up.
  for (int lanes = 1; lanes <= vector_lanes(target); lanes = lanes == 1 ? 4 : 2 * lanes) {
    const std::string count = std::to_string(lanes), type = lanes == 1 ? "float" : "<" + count + " x float>";
    source << "define weak_odr " << type << " @" << kName << (lanes == 1 ? "" : "x" + count) << "(" << type << " %a, " << type
           << " %b, " << type << " %c) alwaysinline readnone {\n";
    if (is_fused(target)) {
      const std::string fma = "@llvm.fma." + (lanes == 1 ? "f32" : "v" + count + "f32");
      source << "  %result = call " << type << " " << fma << "(" << type << " %a, " << type << " %b, " << type << " %c)\n"
             << "  ret " << type << " %result\n}\n"
             << "declare " << type << " " << fma << "(" << type << ", " << type << ", " << type << ")\n";
    } else {
      source << "  %product = fmul " << type << " %a, %b\n  %result = fadd " << type << " %product, %c\n  ret " << type
             << " %result\n}\n";
    }
  }
  return inlined_functions(target, kName, source.str());
}

}  // namespace lookupffn
