// The main function of every system test program.

#include "troupe/tests/system/harness/isolation.hpp"

// The program is the first process of its namespace, which the leak checker's
// own process cannot trace; the daemons it starts are checked.
extern "C" const char* __asan_default_options() { // NOLINT
  return "detect_leaks=0";
}

int main(int argc, char** argv) {
  return troupe::test::run_isolated(argc, argv);
}
