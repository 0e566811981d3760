#include "troupe/config/model/error.hpp"

#include <array>
#include <cctype>
#include <cerrno>
#include <cstddef>

#include <system_error>

namespace troupe {

namespace {

// In the order of `ec`.
constexpr auto names = std::array<std::string_view, 9>{
  "none",     "invalid_argument", "forbidden",   "not_found", "timeout",
  "conflict", "unsupported",      "unavailable", "internal",
};

static_assert(names.size() == static_cast<size_t>(ec::internal) + 1);

ec code_of(int errno_value) {
  switch (errno_value) {
  case EEXIST:
  case EADDRINUSE:
  case ENOTUNIQ:
    return ec::conflict;
  case ENOENT:
  case ENODEV:
  case ESRCH:
  case ENXIO:
  case EADDRNOTAVAIL:
    return ec::not_found;
  case EPERM:
  case EACCES:
  case EROFS:
    return ec::forbidden;
  case EINVAL:
  case ERANGE:
  case ENAMETOOLONG:
    return ec::invalid_argument;
  case EOPNOTSUPP:
  case EPROTONOSUPPORT:
  case EAFNOSUPPORT:
    return ec::unsupported;
  case EBUSY:
  case EAGAIN:
  case ENOSPC:
  case ENOBUFS:
  case ENOMEM:
  case EXFULL:
  case EMFILE:
  case ENFILE:
    return ec::unavailable;
  case ETIMEDOUT:
    return ec::timeout;
  default:
    return ec::internal;
  }
}

// "No such device" → "no such device"; "RPC …" keeps its capitals.
std::string reason_of(int errno_value) {
  auto result = std::generic_category().message(errno_value);
  auto is_word = result.size() > 1
                 && std::islower(static_cast<unsigned char>(result[1])) != 0;
  if (is_word)
    result[0]
      = static_cast<char>(std::tolower(static_cast<unsigned char>(result[0])));
  return result;
}

} // namespace

std::string_view to_string(ec code) {
  auto index = static_cast<size_t>(code);
  return index < names.size() ? names[index] : names.back();
}

ec ec_from_string(std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return static_cast<ec>(i);
  return ec::internal;
}

error with_context(error why, std::string_view context) {
  auto message = std::string{context};
  message += ": ";
  message += why.message;
  why.message = std::move(message);
  return why;
}

error os_failure(int errno_value, std::string_view operation,
                 std::string_view detail) {
  auto message = std::string{operation};
  message += ": ";
  if (detail.empty()) {
    message += reason_of(errno_value);
  } else {
    message += detail;
    message += " (";
    message += reason_of(errno_value);
    message += ')';
  }
  return {code_of(errno_value), std::move(message), {}, errno_value};
}

} // namespace troupe
