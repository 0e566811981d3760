#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// What a caller can react to. Detail (errno, interface, key) goes into the
/// error's message, never into a new code.
/// @note Exit codes and the API depend on the names and the order: append only.
enum class ec : uint8_t {
  none,             ///< No error.
  invalid_argument, ///< Malformed request; retrying cannot help (HTTP 400).
  forbidden,        ///< Well-formed, but the state or the rights refuse (403).
  not_found,        ///< No such network, endpoint, sandbox or driver (404).
  timeout,          ///< The deadline passed; the outcome is unknown (408).
  conflict,         ///< Name, address, subnet or file is taken (409).
  unsupported,      ///< This kernel or build cannot do it (501).
  unavailable,      ///< Busy, full or shutting down; retry later (503).
  internal,         ///< A system call, the kernel or the store failed (500).
};

/// The code's name as the API and the logs spell it, e.g. `not_found`.
std::string_view to_string(ec code);

/// Inverse of `to_string`; an unknown name is `ec::internal`.
ec ec_from_string(std::string_view name);

/// Why an operation failed: a code to react to, a message for people in the
/// form *operation: reason*, and a hint what to do when there is one.
struct error {
  ec code = ec::none;
  std::string message;
  std::string hint;

  /// errno of the failed system call, 0 if none. Local: never sent to clients.
  int os_error = 0;
};

/// Either a value or the reason why there is none.
template <class T>
using result = tl::expected<T, error>;

/// Makes the failed state of a `result<T>`.
inline tl::unexpected<error>
fail(ec code, std::string message, std::string hint = {}) {
  return tl::unexpected<error>{
    error{code, std::move(message), std::move(hint), 0}};
}

/// Passes an error on unchanged: `return fail(std::move(done.error()));`.
inline tl::unexpected<error> fail(error why) {
  return tl::unexpected<error>{std::move(why)};
}

/// Puts what the caller alone knows in front: `context: message`.
error with_context(error why, std::string_view context);

/// An error from errno: maps the number to a code, the message becomes
/// `operation: strerror` or, when the kernel explained itself,
/// `operation: detail (strerror)`. Keeps the number in `os_error`.
error os_failure(int errno_value, std::string_view operation,
                 std::string_view detail = {});

} // namespace troupe
