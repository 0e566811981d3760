#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::drivers {

/// Collects how an object differs from what it is to be, as lines
/// `<object>: <what> is <now>, not <wanted>`. Private to this folder.
class differences {
public:
  /// @param object what the lines begin with, e.g. an interface's name.
  explicit differences(std::string object) : object_(std::move(object)) {
  }

  /// Notes a property if its values differ. They must be formattable.
  template <class T>
  void compare(std::string_view what, const T& now, const T& wanted) {
    if (now != wanted)
      note(fmt::format("{} is {}, not {}", what, now, wanted));
  }

  /// Notes something if it is not so: `<object>: <text>`.
  void expect(bool is_so, std::string_view text) {
    if (!is_so)
      note(text);
  }

  /// Notes something.
  void note(std::string_view text) {
    lines_.push_back(fmt::format("{}: {}", object_, text));
  }

  std::vector<std::string> take() {
    return std::move(lines_);
  }

private:
  std::string object_;
  std::vector<std::string> lines_;
};

} // namespace troupe::drivers
