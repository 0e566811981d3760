// The main function of every system test program.

#include "troupe/tests/system/harness/isolation.hpp"

int main(int argc, char** argv) {
  return troupe::test::run_isolated(argc, argv);
}
