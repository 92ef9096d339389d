// AMX's tiles are asked of Linux when a layer is packed for them, and not before; where Linux refuses, as a thread's
// alternative signal stack has no room for them, there is a narrower ISA or an error. A process of its own: what is
// granted stays granted.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"

namespace lookupffn {
namespace {

bool tiles_granted() {
  constexpr long kGetPermission = 0x1022, kTileData = 18;  // ARCH_GET_XCOMP_PERM
  unsigned long long features = 0;
  return syscall(SYS_arch_prctl, kGetPermission, &features) == 0 && (features >> kTileData & 1) != 0;
}

TEST(TilePermission, IsAskedForWhenALayerIsPacked) {
  if (std::string(active_isa()) != "avx512_amx") GTEST_SKIP() << "avx512_amx does not run here";
  if (tiles_granted()) GTEST_SKIP() << "this process was given tiles before it began";
  const checks::LayerCase layer(reference::dense_shape(12, 20, 3, 4), 1, 1);
  const std::vector<uint8_t> bytes = reference::model_bytes(layer.layer(), "", ElementType::kF32);
  const Model model(bytes.data(), bytes.size());

  std::vector<char> memory(8192);
  stack_t small = {}, none = {};
  small.ss_sp = memory.data();
  small.ss_size = memory.size();
  none.ss_flags = SS_DISABLE;
  ASSERT_EQ(sigaltstack(&small, nullptr), 0);
  EXPECT_STREQ(Layer(model).info().isa, "avx512_bf16");
  lookupffn_pack_options named = {};
  named.isa = "avx512_amx";
  lookupffn_layer* handle = nullptr;
  EXPECT_EQ(lookupffn_layer_pack(model.get(), "", &named, &handle), LOOKUPFFN_UNSUPPORTED_ISA);
  EXPECT_NE(std::string(lookupffn_last_message()).find("sigaltstack"), std::string::npos) << lookupffn_last_message();
  named.isa = "avx512";
  ASSERT_EQ(lookupffn_layer_pack(model.get(), "", &named, &handle), LOOKUPFFN_OK) << lookupffn_last_message();
  lookupffn_layer_free(handle);
  EXPECT_FALSE(tiles_granted());

  ASSERT_EQ(sigaltstack(&none, nullptr), 0);
  EXPECT_STREQ(Layer(model).info().isa, "avx512_amx");
  EXPECT_TRUE(tiles_granted());
}

}  // namespace
}  // namespace lookupffn
