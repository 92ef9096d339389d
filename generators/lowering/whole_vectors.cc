#include "whole_vectors.h"

#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace lookupffn {
namespace {

unsigned lanes_of(const llvm::Value* value) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return type ? type->getNumElements() : 0;
}

// ---- intrinsics that leave no lane out

bool all_lanes(const llvm::VPIntrinsic& call) {
  const auto* mask = call.getMaskParam() ? llvm::dyn_cast<llvm::Constant>(call.getMaskParam()) : nullptr;
  const auto* length = llvm::dyn_cast<llvm::ConstantInt>(call.getVectorLengthParam());
  return mask && mask->isAllOnesValue() && length && length->getZExtValue() == lanes_of(mask);
}

// The plain instruction; none where there is no such.
llvm::Value* plain(llvm::IRBuilder<>& builder, llvm::VPIntrinsic& call) {
  if (call.getIntrinsicID() == llvm::Intrinsic::vp_load) {
    return builder.CreateAlignedLoad(call.getType(), call.getMemoryPointerParam(), call.getPointerAlignment());
  }
  if (call.getIntrinsicID() == llvm::Intrinsic::vp_store) {
    return builder.CreateAlignedStore(call.getMemoryDataParam(), call.getMemoryPointerParam(), call.getPointerAlignment());
  }
  const std::optional<unsigned> opcode = call.getFunctionalOpcode();
  if (!opcode) return nullptr;
  if (llvm::Instruction::isBinaryOp(*opcode)) {
    return builder.CreateBinOp(llvm::Instruction::BinaryOps(*opcode), call.getArgOperand(0), call.getArgOperand(1));
  }
  if (llvm::Instruction::isCast(*opcode)) {
    return builder.CreateCast(llvm::Instruction::CastOps(*opcode), call.getArgOperand(0), call.getType());
  }
  if (const auto* compare = llvm::dyn_cast<llvm::VPCmpIntrinsic>(&call)) {
    return builder.CreateCmp(compare->getPredicate(), call.getArgOperand(0), call.getArgOperand(1));
  }
  if (*opcode == llvm::Instruction::Select) {
    return builder.CreateSelect(call.getArgOperand(0), call.getArgOperand(1), call.getArgOperand(2));
  }
  return nullptr;
}

bool make_plain(llvm::VPIntrinsic& call) {
  if (call.getIntrinsicID() != llvm::Intrinsic::vp_select && !all_lanes(call)) return false;
  if (call.getIntrinsicID() == llvm::Intrinsic::vp_select) {
    const auto* length = llvm::dyn_cast<llvm::ConstantInt>(call.getVectorLengthParam());
    if (!length || length->getZExtValue() != lanes_of(&call)) return false;
  }
  llvm::IRBuilder<> builder(&call);
  llvm::Value* result = plain(builder, call);
  if (!result) return false;
  if (auto* instruction = llvm::dyn_cast<llvm::Instruction>(result)) {
    instruction->copyMetadata(call);
    if (llvm::isa<llvm::FPMathOperator>(instruction) && llvm::isa<llvm::FPMathOperator>(&call)) {
      instruction->setFastMathFlags(call.getFastMathFlags());
    }
  }
  if (!call.getType()->isVoidTy()) call.replaceAllUsesWith(result);
  call.eraseFromParent();
  return true;
}

// Halide 19 calls llvm.vp.not, which LLVM does not have: the program would not link.
bool make_not(llvm::CallInst& call) {
  const llvm::Function* function = call.getCalledFunction();
  if (!function || !function->getName().starts_with("llvm.vp.not.")) return false;
  llvm::IRBuilder<> builder(&call);
  call.replaceAllUsesWith(builder.CreateNot(call.getArgOperand(0)));
  call.eraseFromParent();
  return true;
}

// ---- pieces

// A vector that was put together of pieces of equal length, in their order.
void pieces_of(llvm::Value* value, std::vector<llvm::Value*>& pieces) {
  auto* shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(value);
  const bool joins = shuffle && shuffle->isConcat();
  if (!joins) {
    pieces.push_back(value);
    return;
  }
  pieces_of(shuffle->getOperand(0), pieces);
  pieces_of(shuffle->getOperand(1), pieces);
}

// Whether `second` is `bytes` behind `first`.
bool follows(llvm::ScalarEvolution& evolution, llvm::Value* first, llvm::Value* second, uint64_t bytes) {
  const auto* distance =
      llvm::dyn_cast<llvm::SCEVConstant>(evolution.getMinusSCEV(evolution.getSCEV(second), evolution.getSCEV(first)));
  return distance && distance->getAPInt() == bytes;
}

// Whether nothing writes to memory between two instructions of a block; `own` are allowed.
bool nothing_written(const llvm::Instruction* from, const llvm::Instruction* to, const std::vector<llvm::Instruction*>& own) {
  for (const llvm::Instruction* at = from; at != to; at = at->getNextNode()) {
    if (!at) return false;
    if (at->mayReadOrWriteMemory() && std::find(own.begin(), own.end(), at) == own.end() && !llvm::isa<llvm::LoadInst>(at))
      return false;
  }
  return true;
}

uint64_t bytes_of(const llvm::Module& module, llvm::Type* type) { return module.getDataLayout().getTypeStoreSize(type); }

bool join_loads(llvm::ShuffleVectorInst& whole, llvm::ScalarEvolution& evolution) {
  std::vector<llvm::Value*> pieces;
  pieces_of(&whole, pieces);
  std::vector<llvm::Instruction*> loads;
  for (llvm::Value* piece : pieces) {
    auto* load = llvm::dyn_cast<llvm::LoadInst>(piece);
    if (!load || !load->isSimple() || load->getType() != pieces[0]->getType() || load->getParent() != whole.getParent())
      return false;
    if (!loads.empty() && !follows(evolution, llvm::cast<llvm::LoadInst>(loads.back())->getPointerOperand(),
                                   load->getPointerOperand(), bytes_of(*whole.getModule(), load->getType()))) {
      return false;
    }
    loads.push_back(load);
  }
  if (loads.size() < 2) return false;
  for (size_t k = 1; k < loads.size(); ++k) {
    if (!loads[k - 1]->comesBefore(loads[k]) || !nothing_written(loads[k - 1], loads[k], loads)) return false;
  }
  auto* first = llvm::cast<llvm::LoadInst>(loads[0]);
  llvm::IRBuilder<> builder(first);
  llvm::LoadInst* load = builder.CreateAlignedLoad(whole.getType(), first->getPointerOperand(), first->getAlign());
  load->setAAMetadata(first->getAAMetadata());
  whole.replaceAllUsesWith(load);
  return true;
}

// What a piece is cut from, and from which lane on.
std::pair<llvm::Value*, int> cut_from(llvm::Value* piece) {
  auto* shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(piece);
  int first = 0;
  if (!shuffle || !shuffle->isExtractSubvectorMask(first)) return {nullptr, 0};
  return {shuffle->getOperand(0), first};
}

// Stores that follow `first` are erased with it.
bool join_stores(llvm::StoreInst& first, llvm::ScalarEvolution& evolution) {
  const auto [whole, lane] = cut_from(first.getValueOperand());
  if (!first.isSimple() || !whole || lane != 0) return false;
  const unsigned piece_lanes = lanes_of(first.getValueOperand());
  const uint64_t bytes = bytes_of(*first.getModule(), first.getValueOperand()->getType());
  std::vector<llvm::Instruction*> stores = {&first};
  for (llvm::Instruction* at = first.getNextNode(); at && stores.size() * piece_lanes < lanes_of(whole);
       at = at->getNextNode()) {
    auto* store = llvm::dyn_cast<llvm::StoreInst>(at);
    if (!store) {
      if (at->mayReadOrWriteMemory()) return false;
      continue;
    }
    const auto [from, at_lane] = cut_from(store->getValueOperand());
    if (!store->isSimple() || from != whole || size_t(at_lane) != stores.size() * piece_lanes ||
        lanes_of(store->getValueOperand()) != piece_lanes ||
        !follows(evolution, llvm::cast<llvm::StoreInst>(stores.back())->getPointerOperand(), store->getPointerOperand(),
                 bytes)) {
      return false;
    }
    stores.push_back(store);
  }
  if (stores.size() < 2 || stores.size() * piece_lanes != lanes_of(whole)) return false;
  llvm::IRBuilder<> builder(&first);
  llvm::StoreInst* store = builder.CreateAlignedStore(whole, first.getPointerOperand(), first.getAlign());
  store->setAAMetadata(first.getAAMetadata());
  for (llvm::Instruction* piece : stores) piece->eraseFromParent();
  return true;
}

}  // namespace

llvm::PreservedAnalyses WholeVectors::run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses) {
  if (!function.hasFnAttribute(llvm::Attribute::VScaleRange)) return llvm::PreservedAnalyses::all();
  std::vector<llvm::CallInst*> calls;
  std::vector<llvm::ShuffleVectorInst*> shuffles;
  for (llvm::BasicBlock& block : function) {
    for (llvm::Instruction& instruction : block) {
      if (auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction)) calls.push_back(call);
    }
  }
  for (llvm::CallInst* call : calls) {
    if (make_not(*call)) continue;
    if (auto* intrinsic = llvm::dyn_cast<llvm::VPIntrinsic>(call)) make_plain(*intrinsic);
  }

  // What is computed twice, pieces' addresses most of all, is not seen to be the same.
  analyses.invalidate(function, llvm::PreservedAnalyses::none());
  llvm::EarlyCSEPass().run(function, analyses);
  analyses.invalidate(function, llvm::PreservedAnalyses::none());

  llvm::ScalarEvolution& evolution = analyses.getResult<llvm::ScalarEvolutionAnalysis>(function);
  for (llvm::BasicBlock& block : function) {
    for (llvm::Instruction& instruction : block) {
      if (auto* shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(&instruction)) shuffles.push_back(shuffle);
    }
  }
  // The last of a vector first: it is the whole.
  for (size_t k = shuffles.size(); k-- > 0;) {
    if (!shuffles[k]->use_empty()) join_loads(*shuffles[k], evolution);
  }
  for (llvm::BasicBlock& block : function) {
    for (llvm::Instruction* at = &block.front(); at;) {
      auto* store = llvm::dyn_cast<llvm::StoreInst>(at);
      llvm::Instruction* before = at->getPrevNode();
      if (store && join_stores(*store, evolution)) {
        at = before ? before->getNextNode() : &block.front();
      }
      at = at->getNextNode();
    }
  }
  return llvm::PreservedAnalyses::none();
}

}  // namespace lookupffn
