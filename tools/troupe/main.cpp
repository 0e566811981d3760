// The command line without TLS and actors, which is what nearly everybody
// needs; it starts in a third of the time.

#include "troupe/actors/api/helper_program.hpp"
#include "troupe/tools/troupe/program.hpp"

#include <cerrno>

#include <unistd.h>

namespace {

// Becomes the program that can ask other hosts; returns when it cannot. All
// else (arguments, environment, what it prints and returns) stays as it is.
troupe::error become_far(char** argv) {
  constexpr auto name = "troupe-far";
  auto program = troupe::find_helper_program(name);
  if (program.empty())
    return {troupe::ec::unsupported,
            std::string{"ask another host: "} + name + " is not installed",
            "it is beside troupe-remote in the libexec folder; without it "
            "only daemons on this host can be asked",
            0};
  ::execv(program.c_str(), argv);
  auto why = troupe::os_failure(errno, "ask another host: run " + program);
  why.os_error = 0; // Not that of a connection.
  return why;
}

} // namespace

int main(int argc, char** argv) {
  return troupe::tools::run_program(
    argc, argv, [argv](const std::string&, const troupe::credentials&) {
      return troupe::result<std::shared_ptr<troupe::backend>>{
        troupe::fail(become_far(argv))};
    });
}
