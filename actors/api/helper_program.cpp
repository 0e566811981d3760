#include "troupe/actors/api/helper_program.hpp"

#include <filesystem>

#include <unistd.h>

namespace troupe {

std::string find_helper_program(std::string_view name) {
  auto problem = std::error_code{};
  const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
  for (const auto& directory :
       {self.parent_path(), std::filesystem::path{TROUPE_LIBEXEC_DIR},
        std::filesystem::path{"/usr/libexec/troupe"}}) {
    auto program = directory / name;
    if (::access(program.c_str(), X_OK) == 0)
      return program;
  }
  return {};
}

} // namespace troupe
