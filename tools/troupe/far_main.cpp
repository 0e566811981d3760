// The command line with the client for other hosts; `troupe` becomes it when
// it is asked for one.

#include "troupe/tools/troupe/program.hpp"

int main(int argc, char** argv) {
  return troupe::tools::run_program(
    argc, argv, [](const std::string& uri, const troupe::credentials& who) {
      return troupe::connect_backend(uri, who);
    });
}
