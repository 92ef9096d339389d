// Small integer expressions over named variables, as schedule spaces use them for conditions.
//
//   expression:  a ? b : c   ||   &&   == != < <= > >=   + -   * / %   ! -   ( )
//   values:      whole numbers, variables, 'text' (only == and != take text)
//   functions:   min(a, b)  max(a, b)  ceil_div(a, b)  round_up(a, multiple)  ceil_pow2(a)
//
// && and || and ?: evaluate no more than they need. / rounds towards zero. Dividing by zero is an error.
#ifndef LOOKUPFFN_CONDITION_H
#define LOOKUPFFN_CONDITION_H

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace lookupffn {

// A whole number or a text.
struct Value {
  bool is_number = true;
  int64_t number = 0;
  std::string text;

  // A number where the whole text is one, else a text.
  static Value from_text(const std::string& text);
  static Value from_number(int64_t number);
};

using Variables = std::map<std::string, Value>;

class Condition {
 public:
  // Throws std::runtime_error that quotes the expression and says what is wrong at which column.
  explicit Condition(const std::string& expression);

  // Throws std::runtime_error for a variable that is not there, a division by zero, or text where a number
  // is needed.
  Value evaluate(const Variables& variables) const;
  bool holds(const Variables& variables) const;  // evaluate(...) is not 0

  // The same, faster, for these variables and no others: names are looked up now. What only depends on variables that are not
  // `changing` is evaluated once. `variables` must hold every name, and outlive what is returned; its evaluate() and
  // holds() take the variables' values of then.
  Condition bound(const Variables& variables, const std::set<std::string>& changing) const;

  const std::string& expression() const { return expression_; }
  const std::set<std::string>& variables() const { return variables_; }  // every name that it mentions

  struct Node;

 private:
  std::string expression_;
  std::set<std::string> variables_;
  std::shared_ptr<const Node> root_;
};

}  // namespace lookupffn
#endif
