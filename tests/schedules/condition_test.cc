#include "condition.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace lookupffn {
namespace {

int64_t number(const std::string& expression, const Variables& variables = {}) {
  const Value value = Condition(expression).evaluate(variables);
  EXPECT_TRUE(value.is_number) << expression;
  return value.number;
}

std::string error_of(const std::string& expression, const Variables& variables = {}) {
  try {
    Condition(expression).evaluate(variables);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Condition, Arithmetic) {
  EXPECT_EQ(number("1 + 2 * 3"), 7);
  EXPECT_EQ(number("(1 + 2) * 3"), 9);
  EXPECT_EQ(number("10 - 4 - 3"), 3);
  EXPECT_EQ(number("17 / 5 * 5 + 17 % 5"), 17);
  EXPECT_EQ(number("-7 / 2"), -3);
  EXPECT_EQ(number("- -3"), 3);
  EXPECT_EQ(number("max(2, min(9, 5))"), 5);
  EXPECT_EQ(number("ceil_div(17, 16)"), 2);
  EXPECT_EQ(number("ceil_div(16, 16)"), 1);
  EXPECT_EQ(number("round_up(100, 16)"), 112);
  EXPECT_EQ(number("ceil_pow2(768)"), 1024);
  EXPECT_EQ(number("ceil_pow2(1)"), 1);
}

TEST(Condition, Precedence) {
  EXPECT_EQ(number("1 + 1 == 2 && 3 > 2"), 1);
  EXPECT_EQ(number("0 && 0 || 1"), 1);
  EXPECT_EQ(number("1 || 0 && 0"), 1);
  EXPECT_EQ(number("!0 + 1"), 2);
  EXPECT_EQ(number("2 < 1 ? 10 : 3 < 4 ? 20 : 30"), 20);
  EXPECT_EQ(number("1<=1"), 1);
  EXPECT_EQ(number("1!=1"), 0);
  EXPECT_EQ(number("!(2 >= 3)"), 1);
}

TEST(Condition, VariablesAndTexts) {
  const Variables variables = {{"tile", Value::from_text("24")}, {"order", Value::from_text("tokens")}};
  EXPECT_EQ(number("tile % 6 == 0 && order == 'tokens'", variables), 1);
  EXPECT_EQ(number("order != 'tokens'", variables), 0);
  EXPECT_EQ(number("order == 24", variables), 0);
  EXPECT_EQ(Condition("a + b * a").variables(), (std::set<std::string>{"a", "b"}));
  EXPECT_TRUE(Condition("max(a, 1)").variables() == std::set<std::string>{"a"});
}

// Bound or not, the same values, and the same errors no earlier.
TEST(Condition, BoundExpressionsFollowTheirVariables) {
  Variables variables = {
      {"fixed", Value::from_number(6)}, {"moving", Value::from_number(0)}, {"order", Value::from_text("rows")}};
  for (const char* expression :
       {"moving + fixed * 2", "order == 'rows' ? moving : 6 / 0", "fixed > 5 && moving % 2 == 1", "fixed > 5 || moving",
        "fixed == 5 ? 7 / moving : moving * fixed", "moving == 0 || fixed % moving == 0", "moving && 1 / (fixed - 6) > 0",
        "max(fixed, moving) + round_up(moving, fixed)", "!fixed", "ceil_pow2(fixed)"}) {
    const Condition condition(expression), bound = condition.bound(variables, {"moving", "order"});
    for (const char* order : {"rows", "columns"}) {
      for (int moving = 0; moving < 9; ++moving) {
        variables["moving"] = Value::from_number(moving);
        variables["order"] = Value::from_text(order);
        const auto outcome = [&](const Condition& c) -> std::string {
          try {
            return std::to_string(c.evaluate(variables).number);
          } catch (const std::runtime_error& error) {
            return error.what();
          }
        };
        EXPECT_EQ(outcome(bound), outcome(condition)) << expression << " " << moving << " " << order;
      }
    }
  }
  EXPECT_THROW(Condition("nowhere + 1").bound(variables, {}), std::runtime_error);
}

TEST(Condition, EvaluatesNoMoreThanNeeded) {
  const Variables zero = {{"n", Value::from_number(0)}};
  EXPECT_EQ(number("n == 0 || 8 % n == 0", zero), 1);
  EXPECT_EQ(number("n != 0 && 8 % n == 0", zero), 0);
  EXPECT_EQ(number("n == 0 ? 1 : 8 / n", zero), 1);
}

TEST(Condition, ErrorsSayWhatAndWhere) {
  EXPECT_NE(error_of("1 +").find("a value expected at column 4"), std::string::npos) << error_of("1 +");
  EXPECT_NE(error_of("(1").find("')' expected"), std::string::npos);
  EXPECT_NE(error_of("1 = 2").find("unexpected '='"), std::string::npos);
  EXPECT_NE(error_of("sin(1)").find("unknown function 'sin'"), std::string::npos);
  EXPECT_NE(error_of("min(1)").find("takes 2 values"), std::string::npos);
  EXPECT_NE(error_of("order == 'tokens").find("closing '"), std::string::npos);
  EXPECT_NE(error_of("tile > 1").find("there is no variable 'tile'"), std::string::npos);
  EXPECT_NE(error_of("1 % 0").find("division by zero"), std::string::npos);
  EXPECT_NE(error_of("'a' + 1").find("'a' is not a number"), std::string::npos);
  EXPECT_NE(error_of("999999999999999999 * 999").find("too large"), std::string::npos);
  EXPECT_NE(error_of("99999999999999999999").find("too large"), std::string::npos);
  EXPECT_NE(error_of("").find("a value expected"), std::string::npos);
  EXPECT_NE(error_of(std::string(100000, '(')).find("too deeply nested"), std::string::npos);
  EXPECT_NE(error_of(std::string(100000, '-') + "1").find("too deeply nested"), std::string::npos);
  EXPECT_THROW(Condition("'text'").holds({}), std::runtime_error);
}

}  // namespace
}  // namespace lookupffn
