#include "float_types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "failure.h"

namespace lookupffn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What a half or a bfloat16 stands for, from its definition.
double value_of(uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa == 0 ? sign * kInfinity : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

struct Format {
  const char* name;
  int exponent_bits, mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};

class FloatTypes : public testing::TestWithParam<Format> {
 protected:
  double value(uint16_t bits) const { return value_of(bits, GetParam().exponent_bits, GetParam().mantissa_bits); }
};

TEST_P(FloatTypes, WideningIsExactForEveryValueAndNarrowingReturnsIt) {
  for (uint32_t i = 0; i <= 0xffff; ++i) {
    const uint16_t bits = static_cast<uint16_t>(i);
    const float wide = GetParam().widen(bits);
    if (std::isnan(value(bits))) {
      ASSERT_TRUE(std::isnan(wide)) << i;
      ASSERT_TRUE(std::isnan(value(GetParam().narrow(wide)))) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(wide), value(bits)) << i;
    ASSERT_EQ(std::signbit(wide), i >= 0x8000) << i;
    ASSERT_EQ(GetParam().narrow(wide), bits) << i;
  }
}

TEST_P(FloatTypes, NarrowingRoundsToTheNearestAndTiesToEven) {
  const uint32_t infinity = static_cast<uint32_t>((1 << GetParam().exponent_bits) - 1) << GetParam().mantissa_bits;
  for (uint32_t i = 0; i + 1 < infinity; ++i) {
    const uint16_t low = static_cast<uint16_t>(i), high = static_cast<uint16_t>(i + 1);
    // Half way between neighbours, which a float holds exactly, and the floats next to it.
    const float middle = static_cast<float>((value(low) + value(high)) / 2);
    ASSERT_EQ(GetParam().narrow(middle), i % 2 == 0 ? low : high) << i;
    ASSERT_EQ(GetParam().narrow(std::nextafter(middle, 0.0f)), low) << i;
    ASSERT_EQ(GetParam().narrow(std::nextafter(middle, kInfinity)), high) << i;
    ASSERT_EQ(GetParam().narrow(-middle), 0x8000 | (i % 2 == 0 ? low : high)) << i;
  }
}

TEST_P(FloatTypes, NarrowingKeepsTheSpecials) {
  const uint16_t infinity = static_cast<uint16_t>(((1 << GetParam().exponent_bits) - 1) << GetParam().mantissa_bits);
  EXPECT_EQ(GetParam().narrow(kInfinity), infinity);
  EXPECT_EQ(GetParam().narrow(-kInfinity), 0x8000 | infinity);
  EXPECT_EQ(GetParam().narrow(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(GetParam().narrow(0.0f), 0);
  EXPECT_EQ(GetParam().narrow(-0.0f), 0x8000);
  EXPECT_EQ(GetParam().narrow(std::numeric_limits<float>::denorm_min()), 0);
  // NaNs whose payload is only in the bits that are cut off must not become infinity, nor wrap to zero.
  for (uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u}) {
    EXPECT_TRUE(std::isnan(value(GetParam().narrow(float_from_bits(nan))))) << nan;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FloatTypes,
                         testing::Values(Format{"f16", 5, 10, f16_to_f32, f32_to_f16},
                                         Format{"bf16", 8, 7, bf16_to_f32, f32_to_bf16}),
                         [](const auto& info) { return std::string(info.param.name); });

TensorView view_of(const std::vector<uint8_t>& bytes, size_t skip, ElementType type, size_t count) {
  TensorView view;
  view.name = "w";
  view.type = type;
  view.shape = {count};
  view.data = bytes.data() + skip;
  view.bytes = count * element_bytes(type);
  return view;
}

TEST(ReadFloats, ReadsAnySliceOfEachTypeAtAnyAddress) {
  constexpr size_t kCount = 37;
  for (ElementType type : {ElementType::kF32, ElementType::kF16, ElementType::kBF16}) {
    const size_t size = element_bytes(type);
    for (size_t skip : {0, 1, 3}) {
      std::vector<uint8_t> bytes(skip + kCount * size);
      for (size_t i = 0; i < kCount; ++i) {  // multiples of 1/4 up to 9: exact in each type
        const float value = static_cast<float>(i) / 4;
        const uint16_t half = type == ElementType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
        const void* source = type == ElementType::kF32 ? static_cast<const void*>(&value) : &half;
        std::memcpy(bytes.data() + skip + i * size, source, size);
      }
      const TensorView view = view_of(bytes, skip, type, kCount);
      for (size_t first : {size_t{0}, size_t{5}, kCount}) {
        std::vector<float> out(kCount - first + 1, -1.0f);
        read_floats(view, first, kCount - first, out.data());
        for (size_t i = first; i < kCount; ++i) ASSERT_EQ(out[i - first], static_cast<float>(i) / 4);
        ASSERT_EQ(out.back(), -1.0f);  // not one more than asked for
      }
    }
  }
}

TEST(ReadFloats, RefusesOtherTypes) {
  const std::vector<uint8_t> bytes(8);
  float out[2];
  for (ElementType type : {ElementType::kI32, ElementType::kOther}) {
    EXPECT_THROW(read_floats(view_of(bytes, 0, type, 2), 0, 2, out), Failure);
    EXPECT_THROW(first_non_finite(view_of(bytes, 0, type, 2)), Failure);
  }
}

TEST(FirstNonFinite, FindsTheFirstAnywhere) {
  constexpr size_t kCount = 10000;  // several chunks and a tail
  struct Case {
    ElementType type;
    uint32_t infinity, nan, largest;
  };
  for (const Case& c :
       {Case{ElementType::kF32, 0x7f800000u, 0xff800001u, 0x7f7fffffu}, Case{ElementType::kF16, 0x7c00u, 0xfc01u, 0x7bffu},
        Case{ElementType::kBF16, 0x7f80u, 0xff81u, 0x7f7fu}}) {
    const size_t size = element_bytes(c.type);
    std::vector<uint8_t> bytes(1 + kCount * size);
    const TensorView view = view_of(bytes, 1, c.type, kCount);
    auto put = [&](size_t i, uint32_t value) { std::memcpy(bytes.data() + 1 + i * size, &value, size); };
    for (size_t i = 0; i < kCount; ++i) put(i, c.largest);
    EXPECT_EQ(first_non_finite(view), kAllFinite);
    for (size_t i : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{8191}, kCount - 1}) {
      for (uint32_t bad : {c.infinity, c.nan}) {
        put(i, bad);
        put(kCount - 1, bad);
        EXPECT_EQ(first_non_finite(view), i);
        put(i, c.largest);
        put(kCount - 1, c.largest);
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn
