#pragma once

#include <string_view>

namespace troupe::netns {

/// True for what the kernel takes as an interface's name: 1 to 15 visible
/// ASCII bytes without `/` and `:`, not `.` or `..`. Stricter than the kernel
/// in one point: no `%`, which the kernel would replace by a number.
bool is_interface_name(std::string_view text);

/// True for what may name a pin: `[A-Za-z0-9_.-]{1,255}`, not `.` or `..`.
bool is_pin_name(std::string_view text);

} // namespace troupe::netns
