#include "condition.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <utility>
#include <vector>

namespace lookupffn {

namespace {

enum class Op {
  kConstant,
  kName,
  kChoice,  // a ? b : c
  kAnd,
  kOr,
  kNot,
  kNegate,
  kEqual,
  kUnequal,
  kLess,
  kLessOrEqual,
  kMore,
  kMoreOrEqual,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kRemainder,
  kMin,
  kMax,
  kCeilDiv,
  kRoundUp,
  kCeilPow2,
};

}  // namespace

struct Condition::Node {
  Op op;
  Value value;                   // of a constant; value.text is a variable's name
  const Value* bound = nullptr;  // the variable, where it is known already
  std::vector<std::shared_ptr<const Node>> operands;
};

Value Value::from_number(int64_t number) {
  Value value;
  value.number = number;
  return value;
}

Value Value::from_text(const std::string& text) {
  const size_t first = !text.empty() && text[0] == '-' ? 1 : 0;
  const bool digits =
      text.size() > first && text.size() < 19 &&
      std::all_of(text.begin() + std::ptrdiff_t(first), text.end(), [](unsigned char c) { return std::isdigit(c); });
  if (digits) return from_number(std::stoll(text));
  Value value;
  value.is_number = false;
  value.text = text;
  return value;
}

namespace {

using Node = Condition::Node;
using NodePointer = std::shared_ptr<const Node>;

struct Function {
  Op op;
  size_t operands;
};
const std::map<std::string, Function> kFunctions = {{"min", {Op::kMin, 2}},
                                                    {"max", {Op::kMax, 2}},
                                                    {"ceil_div", {Op::kCeilDiv, 2}},
                                                    {"round_up", {Op::kRoundUp, 2}},
                                                    {"ceil_pow2", {Op::kCeilPow2, 1}}};

NodePointer make(Op op, std::vector<NodePointer> operands) {
  auto node = std::make_shared<Node>();
  node->op = op;
  node->operands = std::move(operands);
  return node;
}

// Recursive descent; each level of precedence is a function.
class Parser {
 public:
  Parser(const std::string& text, std::set<std::string>* names) : text_(text), names_(names) {}

  NodePointer parse() {
    NodePointer node = choice();
    skip_space();
    if (at_ != text_.size()) fail("unexpected '" + text_.substr(at_, 1) + "'");
    return node;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("expression \"" + text_ + "\": " + what + " at column " + std::to_string(at_ + 1));
  }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(const std::string& token) {
    skip_space();
    if (text_.compare(at_, token.size(), token) != 0) return false;
    at_ += token.size();
    return true;
  }

  NodePointer choice() {
    if (++depth_ > 200) fail("too deeply nested");
    NodePointer node = binary(0);
    if (take("?")) {
      NodePointer yes = choice();
      if (!take(":")) fail("':' expected");
      node = make(Op::kChoice, {node, yes, choice()});
    }
    --depth_;
    return node;
  }

  NodePointer binary(size_t level) {
    // Longer operators before their prefixes.
    static const std::vector<std::vector<std::pair<std::string, Op>>> levels = {
        {{"||", Op::kOr}},
        {{"&&", Op::kAnd}},
        {{"==", Op::kEqual}, {"!=", Op::kUnequal}},
        {{"<=", Op::kLessOrEqual}, {">=", Op::kMoreOrEqual}, {"<", Op::kLess}, {">", Op::kMore}},
        {{"+", Op::kAdd}, {"-", Op::kSubtract}},
        {{"*", Op::kMultiply}, {"/", Op::kDivide}, {"%", Op::kRemainder}}};
    if (level == levels.size()) return unary();
    NodePointer node = binary(level + 1);
    for (;;) {
      const auto found =
          std::find_if(levels[level].begin(), levels[level].end(), [this](const auto& op) { return take(op.first); });
      if (found == levels[level].end()) return node;
      node = make(found->second, {node, binary(level + 1)});
    }
  }

  NodePointer unary() {
    if (++depth_ > 200) fail("too deeply nested");
    NodePointer node = take("!") ? make(Op::kNot, {unary()}) : take("-") ? make(Op::kNegate, {unary()}) : primary();
    --depth_;
    return node;
  }

  NodePointer primary() {
    if (take("(")) {
      NodePointer node = choice();
      if (!take(")")) fail("')' expected");
      return node;
    }
    skip_space();
    if (at_ == text_.size()) fail("a value expected");
    const char first = text_[at_];
    auto node = std::make_shared<Node>();
    if (first == '\'') {
      const size_t end = text_.find('\'', at_ + 1);
      if (end == std::string::npos) fail("a closing ' is missing for the text that starts");
      node->op = Op::kConstant;
      node->value.is_number = false;
      node->value.text = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      return node;
    }
    if (std::isdigit(static_cast<unsigned char>(first))) {
      const size_t start = at_;
      while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) ++at_;
      if (at_ - start > 18) fail("a number that is too large ends");
      node->op = Op::kConstant;
      node->value = Value::from_text(text_.substr(start, at_ - start));
      return node;
    }
    if (!std::isalpha(static_cast<unsigned char>(first)) && first != '_') fail("a value expected");
    const size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    const std::string name = text_.substr(start, at_ - start);
    if (take("(")) {
      const auto function = kFunctions.find(name);
      if (function == kFunctions.end()) fail("unknown function '" + name + "'");
      std::vector<NodePointer> operands;
      do operands.push_back(choice());
      while (take(","));
      if (!take(")")) fail("')' expected");
      if (operands.size() != function->second.operands) {
        fail("'" + name + "' takes " + std::to_string(function->second.operands) + " values");
      }
      return make(function->second.op, operands);
    }
    node->op = Op::kName;
    node->value.is_number = false;
    node->value.text = name;
    names_->insert(name);
    return node;
  }

  const std::string& text_;
  std::set<std::string>* names_;
  size_t at_ = 0;
  int depth_ = 0;
};

int64_t number(const Value& value) {
  if (!value.is_number) throw std::runtime_error("'" + value.text + "' is not a number");
  return value.number;
}

int64_t divisor(const Value& value) {
  if (number(value) == 0) throw std::runtime_error("division by zero");
  return value.number;
}

// Values are sizes and counts: whatever leaves 64 bits is a mistake in the expression.
int64_t checked(bool overflow, int64_t result) {
  if (overflow) throw std::runtime_error("a number is too large");
  return result;
}

int64_t add(int64_t a, int64_t b) {
  int64_t result;
  const bool overflow = __builtin_add_overflow(a, b, &result);
  return checked(overflow, result);
}

int64_t multiply(int64_t a, int64_t b) {
  int64_t result;
  const bool overflow = __builtin_mul_overflow(a, b, &result);
  return checked(overflow, result);
}

bool equal(const Value& a, const Value& b) {
  return a.is_number == b.is_number && (a.is_number ? a.number == b.number : a.text == b.text);
}

int64_t compared(Op op, int64_t a, int64_t b) {
  switch (op) {
    case Op::kLess:
      return a < b;
    case Op::kLessOrEqual:
      return a <= b;
    case Op::kMore:
      return a > b;
    default:
      return a >= b;
  }
}

Value run(const Node& node, const Variables& variables) {
  const auto operand = [&](size_t index) { return run(*node.operands[index], variables); };
  switch (node.op) {
    case Op::kConstant:
      return node.value;
    case Op::kName: {
      if (node.bound != nullptr) return *node.bound;
      const auto found = variables.find(node.value.text);
      if (found == variables.end()) throw std::runtime_error("there is no variable '" + node.value.text + "'");
      return found->second;
    }
    case Op::kChoice:
      return number(operand(0)) ? operand(1) : operand(2);
    case Op::kAnd:
      return Value::from_number(number(operand(0)) && number(operand(1)));
    case Op::kOr:
      return Value::from_number(number(operand(0)) || number(operand(1)));
    default:
      break;
  }
  const Value a = operand(0);
  switch (node.op) {
    case Op::kNot:
      return Value::from_number(!number(a));
    case Op::kNegate:
      return Value::from_number(multiply(number(a), -1));
    case Op::kCeilPow2: {
      int64_t power = 1;
      while (power < number(a)) power = multiply(power, 2);
      return Value::from_number(power);
    }
    default:
      break;
  }
  const Value b = operand(1);
  switch (node.op) {
    case Op::kEqual:
      return Value::from_number(equal(a, b));
    case Op::kUnequal:
      return Value::from_number(!equal(a, b));
    case Op::kLess:
    case Op::kLessOrEqual:
    case Op::kMore:
    case Op::kMoreOrEqual:
      return Value::from_number(compared(node.op, number(a), number(b)));
    case Op::kAdd:
      return Value::from_number(add(number(a), number(b)));
    case Op::kSubtract:
      return Value::from_number(add(number(a), multiply(number(b), -1)));
    case Op::kMultiply:
      return Value::from_number(multiply(number(a), number(b)));
    case Op::kMin:
      return Value::from_number(std::min(number(a), number(b)));
    case Op::kMax:
      return Value::from_number(std::max(number(a), number(b)));
    default:
      break;
  }
  const int64_t by = divisor(b);
  if (node.op == Op::kRemainder) return Value::from_number(by == -1 ? 0 : number(a) % by);
  if (node.op == Op::kDivide) return Value::from_number(by == -1 ? multiply(number(a), -1) : number(a) / by);
  const int64_t steps = number(a) / by + (number(a) % by > 0);
  return Value::from_number(node.op == Op::kCeilDiv ? steps : multiply(steps, by));  // else round_up
}

// The expression with its names looked up, and what will not change evaluated.
NodePointer bind(const Node& node, const Variables& variables, const std::set<std::string>& changing) {
  auto copy = std::make_shared<Node>(node);
  bool fixed = node.op != Op::kName || changing.count(node.value.text) == 0;
  if (node.op == Op::kName) {
    const auto found = variables.find(node.value.text);
    if (found == variables.end()) throw std::runtime_error("there is no variable '" + node.value.text + "'");
    copy->bound = &found->second;
  }
  for (NodePointer& operand : copy->operands) {
    operand = bind(*operand, variables, changing);
    fixed = fixed && operand->op == Op::kConstant;
  }
  const bool decides = (node.op == Op::kAnd || node.op == Op::kOr || node.op == Op::kChoice) &&
                       copy->operands[0]->op == Op::kConstant && copy->operands[0]->value.is_number;
  if (decides && node.op == Op::kChoice) return copy->operands[copy->operands[0]->value.number ? 1 : 2];
  fixed = fixed || (decides && (copy->operands[0]->value.number != 0) == (node.op == Op::kOr));
  if (fixed) {
    try {
      const Value value = run(*copy, variables);
      copy->op = Op::kConstant;
      copy->value = value;
      copy->operands.clear();
    } catch (const std::runtime_error&) {
      // An error where nobody looks is none: it is found when the value is asked for.
    }
  }
  return copy;
}

}  // namespace

Condition::Condition(const std::string& expression) : expression_(expression) {
  root_ = Parser(expression_, &variables_).parse();
}

Condition Condition::bound(const Variables& variables, const std::set<std::string>& changing) const {
  Condition condition = *this;
  condition.root_ = bind(*root_, variables, changing);
  return condition;
}

Value Condition::evaluate(const Variables& variables) const {
  try {
    return run(*root_, variables);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("expression \"" + expression_ + "\": " + error.what());
  }
}

bool Condition::holds(const Variables& variables) const {
  const Value value = evaluate(variables);
  if (!value.is_number) {
    throw std::runtime_error("expression \"" + expression_ + "\" is a text where a condition is needed");
  }
  return value.number != 0;
}

}  // namespace lookupffn
