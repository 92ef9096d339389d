#include "vector_calls.h"

#include <dlfcn.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Transforms/IPO/AlwaysInliner.h>

#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "halide_version.h"
#include "whole_vectors.h"

namespace lookupffn {
namespace {

// LLVM is not made for exceptions to fly through it.
[[noreturn]] void fail(const std::string& why) {
  std::cerr << "lookupffn_generators: " << why << std::endl;
  std::_Exit(1);
}

// Puts the functions in as the kernel's own: what is not inlined goes.
void link_functions(llvm::Module& kernel) {
  for (const auto& [name, source] : *kernel_functions()) {
    llvm::SMDiagnostic error;
    std::unique_ptr<llvm::Module> functions = llvm::parseAssemblyString(source, error, kernel.getContext());
    if (!functions) fail(name + " is no LLVM IR: " + error.getMessage().str());
    functions->setTargetTriple(kernel.getTargetTriple());
    functions->setDataLayout(kernel.getDataLayout());
    std::set<std::string> defined;
    for (const llvm::Function& function : *functions) {
      if (!function.isDeclaration()) defined.insert(function.getName().str());
    }
    if (llvm::Linker::linkModules(kernel, std::move(functions))) fail(name + " cannot be linked in");
    for (const std::string& function : defined) kernel.getFunction(function)->setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

// The CPU and its features are flags of the module (kernel_cpu.cc) and, for LLVM, attributes of each function.
void set_cpu(llvm::Module& kernel) {
  const std::pair<const char*, const char*> flags[] = {
      {"target-cpu", "halide_mcpu_target"}, {"tune-cpu", "halide_mcpu_tune"}, {"target-features", "halide_mattrs"}};
  for (const auto& [attribute, flag] : flags) {
    const auto* text = llvm::dyn_cast_or_null<llvm::MDString>(kernel.getModuleFlag(flag));
    if (!text) fail(std::string("Halide's module has no flag ") + flag);
    for (llvm::Function& function : kernel) {
      if (!function.isIntrinsic()) function.addFnAttr(attribute, text->getString());
    }
  }
  const auto* least = llvm::mdconst::dyn_extract_or_null<llvm::ConstantInt>(kernel.getModuleFlag("lookupffn_least_vscale"));
  if (!least) return;
  constexpr unsigned kAnyMore = 0;
  for (llvm::Function& function : kernel) {
    if (function.isIntrinsic()) continue;
    function.removeFnAttr(llvm::Attribute::VScaleRange);
    const unsigned units = unsigned(least->getZExtValue());
    function.addFnAttr(llvm::Attribute::getWithVScaleRangeArgs(kernel.getContext(), units, kAnyMore));
  }
}

// Halide aligns what is on the stack, and texts of more than 32 bytes such as the target's name, like the longest vector. On
// RISC-V it takes that for 8 KB long (kernel_cpu.cc): each kernel would have so much padding.
void limit_alignment(llvm::Module& kernel) {
  const llvm::Align kMost(64);
  for (llvm::GlobalVariable& constant : kernel.globals()) {
    if (constant.getAlign().valueOrOne() > kMost) constant.setAlignment(kMost);
  }
  for (llvm::Function& function : kernel) {
    for (llvm::BasicBlock& block : function) {
      for (llvm::Instruction& instruction : block) {
        auto* array = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
        if (array && array->getAlign() > kMost) array->setAlignment(kMost);
      }
    }
  }
}

// The calls of a vector's lanes, and what puts their results together.
struct LaneCalls {
  std::vector<llvm::CallInst*> calls;             // of each lane
  std::vector<llvm::InsertElementInst*> inserts;  // likewise; the last one is the vector
};

// The call that `insert` puts into lane `lane`, of `function` where one is given.
llvm::CallInst* call_of_lane(const llvm::InsertElementInst& insert, size_t lane, const llvm::Function* function = nullptr) {
  const auto* index = llvm::dyn_cast<llvm::ConstantInt>(insert.getOperand(2));
  auto* call = llvm::dyn_cast<llvm::CallInst>(insert.getOperand(1));
  if (!index || index->getZExtValue() != lane || !call || !call->hasOneUse() || !call->getCalledFunction()) return nullptr;
  return !function || call->getCalledFunction() == function ? call : nullptr;
}

// Those that `first` begins; none where it begins no such vector.
LaneCalls lane_calls(llvm::InsertElementInst& first) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(first.getType());
  if (!type || !llvm::isa<llvm::UndefValue>(first.getOperand(0))) return {};  // poison is undefined, too
  LaneCalls found;
  llvm::InsertElementInst* insert = &first;
  for (size_t lane = 0; lane < type->getNumElements(); ++lane) {
    if (lane > 0) {
      if (!insert->hasOneUse()) return {};
      auto* next = llvm::dyn_cast<llvm::InsertElementInst>(*insert->user_begin());
      if (!next || next->getOperand(0) != insert) return {};
      insert = next;
    }
    llvm::CallInst* call = call_of_lane(*insert, lane, lane > 0 ? found.calls[0]->getCalledFunction() : nullptr);
    if (!call) return {};
    found.calls.push_back(call);
    found.inserts.push_back(insert);
  }
  return found;
}

// Vector form and its lanes: as Halide 14 chooses it.
std::pair<llvm::Function*, unsigned> vector_form(const llvm::Function& function, size_t lanes) {
  unsigned width = 2;
  while (width < lanes) width *= 2;
  for (; width > 1; width /= 2) {
    llvm::Function* form = function.getParent()->getFunction((function.getName() + "x" + llvm::Twine(width)).str());
    if (form) return {form, width};
  }
  return {nullptr, 0};
}

// An argument of all lanes as a vector.
llvm::Value* argument(llvm::IRBuilder<>& builder, const LaneCalls& of, unsigned index) {
  const size_t lanes = of.calls.size();
  // Most often the lanes of one.
  llvm::Value* whole = nullptr;
  for (size_t lane = 0; lane < lanes; ++lane) {
    auto* extract = llvm::dyn_cast<llvm::ExtractElementInst>(of.calls[lane]->getArgOperand(index));
    const auto* position = extract ? llvm::dyn_cast<llvm::ConstantInt>(extract->getIndexOperand()) : nullptr;
    llvm::Value* vector = position && position->getZExtValue() == lane ? extract->getVectorOperand() : nullptr;
    const auto* type = vector ? llvm::dyn_cast<llvm::FixedVectorType>(vector->getType()) : nullptr;
    if (!type || type->getNumElements() != lanes || (whole && whole != vector)) {
      whole = nullptr;
      break;
    }
    whole = vector;
  }
  if (whole) return whole;
  llvm::Value* first = of.calls[0]->getArgOperand(index);
  llvm::Value* vector = llvm::PoisonValue::get(llvm::FixedVectorType::get(first->getType(), unsigned(lanes)));
  for (size_t lane = 0; lane < lanes; ++lane) {
    vector = builder.CreateInsertElement(vector, of.calls[lane]->getArgOperand(index), uint64_t(lane));
  }
  return vector;
}

// Lanes first .. first + count - 1 of a vector, undefined beyond its end.
llvm::Value* slice(llvm::IRBuilder<>& builder, llvm::Value* vector, unsigned first, unsigned count) {
  const unsigned lanes = llvm::cast<llvm::FixedVectorType>(vector->getType())->getNumElements();
  if (first == 0 && count == lanes) return vector;
  llvm::SmallVector<int, 64> mask;
  for (unsigned lane = first; lane < first + count; ++lane) mask.push_back(lane < lanes ? int(lane) : -1);
  return builder.CreateShuffleVector(vector, mask);
}

// One call, or one a piece of a long vector, in place of the lanes'.
void call_vector_form(const LaneCalls& of) {
  const auto [form, width] = vector_form(*of.calls[0]->getCalledFunction(), of.calls.size());
  if (!form) return;
  llvm::IRBuilder<> builder(of.inserts.back());
  std::vector<llvm::Value*> arguments;
  for (unsigned k = 0; k < of.calls[0]->arg_size(); ++k) arguments.push_back(argument(builder, of, k));
  const unsigned lanes = unsigned(of.calls.size());
  llvm::Value* result = nullptr;
  for (unsigned first = 0; first < lanes; first += width) {
    std::vector<llvm::Value*> pieces;
    for (llvm::Value* whole : arguments) pieces.push_back(slice(builder, whole, first, width));
    llvm::CallInst* call = builder.CreateCall(form, pieces);
    if (of.calls[0]->doesNotAccessMemory()) call->setDoesNotAccessMemory();
    llvm::Value* piece = call;
    if (!result) {
      result = slice(builder, piece, 0, lanes);
      continue;
    }
    llvm::SmallVector<int, 64> mask;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      mask.push_back(lane < first ? int(lane) : lane < first + width ? int(lanes + lane - first) : -1);
    }
    result = builder.CreateShuffleVector(result, slice(builder, piece, 0, lanes), mask);
  }
  of.inserts.back()->replaceAllUsesWith(result);
  for (size_t lane = lanes; lane-- > 0;) of.inserts[lane]->eraseFromParent();
  for (llvm::CallInst* call : of.calls) call->eraseFromParent();
}

}  // namespace

std::shared_ptr<KernelFunctions> kernel_functions() {
  static std::shared_ptr<KernelFunctions> functions = std::make_shared<KernelFunctions>();
  return functions;
}

llvm::PreservedAnalyses VectorCalls::run(llvm::Module& kernel, llvm::ModuleAnalysisManager&) {
  link_functions(kernel);
  set_cpu(kernel);
  limit_alignment(kernel);
  for (llvm::Function& function : kernel) {
    std::vector<LaneCalls> found;
    for (llvm::BasicBlock& block : function) {
      for (llvm::Instruction& instruction : block) {
        auto* insert = llvm::dyn_cast<llvm::InsertElementInst>(&instruction);
        if (!insert) continue;
        LaneCalls calls = lane_calls(*insert);
        if (!calls.calls.empty()) found.push_back(std::move(calls));
      }
    }
    for (const LaneCalls& calls : found) call_vector_form(calls);
  }
  return llvm::PreservedAnalyses::none();
}

}  // namespace lookupffn

// Halide lets nobody add a pass of LLVM's. But it asks LLVM's shared library for the passes to run, and the dynamic linker
// gives it this function first.
llvm::ModulePassManager llvm::PassBuilder::buildPerModuleDefaultPipeline(OptimizationLevel level, bool for_linking) {
  using Build = ModulePassManager (*)(PassBuilder*, OptimizationLevel, bool);
  constexpr const char* kName = "_ZN4llvm11PassBuilder29buildPerModuleDefaultPipelineENS_17OptimizationLevelEb";
  static const Build build = reinterpret_cast<Build>(dlsym(RTLD_NEXT, kName));
  if (!build) lookupffn::fail("LLVM has no function buildPerModuleDefaultPipeline");
  ModulePassManager passes;
  passes.addPass(lookupffn::VectorCalls());
  passes.addPass(AlwaysInlinerPass());
  passes.addPass(createModuleToFunctionPassAdaptor(lookupffn::WholeVectors()));
  passes.addPass(build(this, level, for_linking));
  return passes;
}
