#pragma once

#include "troupe/config/model/error.hpp"

#include <array>
#include <cstdlib>
#include <type_traits>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/// Asked by the copies of our sources that mutants.py writes.
namespace troupe::mutants {

/// Which call is left out; 0: none.
inline int chosen() {
  static const auto result = [] {
    const auto* text = std::getenv("TROUPE_MUTANT");
    return text == nullptr ? 0 : std::atoi(text);
  }();
  return result;
}

/// A file with one byte for each mutant that was come past, shared with the
/// processes that a test starts.
inline unsigned char* reached() {
  static auto* result = [] {
    static auto nowhere = std::array<unsigned char, 1 << 16>{};
    const auto* path = std::getenv("TROUPE_MUTANTS_REACHED");
    const auto fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
    struct stat file = {};
    if (fd < 0 || ::fstat(fd, &file) != 0)
      return nowhere.data();
    auto* map = ::mmap(nullptr, static_cast<size_t>(file.st_size),
                       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return map == MAP_FAILED ? nowhere.data()
                             : static_cast<unsigned char*>(map);
  }();
  return result;
}

inline bool is_on(int number) {
  reached()[number] = 1;
  return chosen() == number;
}

/// A step that says only whether it was done can be taken for done.
template <class T>
bool is_left_out(int number) {
  if constexpr (std::is_same_v<std::remove_cvref_t<T>, result<void>>)
    return is_on(number);
  else
    return false;
}

template <class T>
std::remove_cvref_t<T> done() {
  if constexpr (std::is_same_v<std::remove_cvref_t<T>, result<void>>)
    return {};
  else
    std::abort();
}

} // namespace troupe::mutants
