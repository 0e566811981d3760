#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::test {

/// What became of a program.
struct outcome {
  int code = -1; ///< Exit code; 128 + signal; -1: could not be started.
  std::string out;
  std::string err;
};

/// Runs a program to its end and kills it after the deadline (code 137).
/// @param words the program, searched in PATH, and its arguments.
/// @param extra environment variables as `NAME=value`, added to ours.
outcome run(const std::vector<std::string>& words,
            const std::vector<std::string>& extra = {},
            std::chrono::seconds deadline = std::chrono::seconds{60});

/// Starts a program in the background; its output is appended to a file.
/// @returns its process id, -1 if it could not be started.
pid_t spawn(const std::vector<std::string>& words, const std::string& log,
            const std::vector<std::string>& extra = {});

/// Waits for a child. @returns its exit code as in `outcome`, -1 if it is
/// still there after the deadline.
int wait_for(pid_t child, std::chrono::milliseconds deadline);

/// A number from the environment, or the default.
unsigned long
number_from_environment(const char* name, unsigned long otherwise);

/// The whole file; empty if it cannot be read.
std::string read_file(const std::string& path);

} // namespace troupe::test
