// A program that only speaks to a daemon, and needs no actors for it.

#include "troupe/actors/troupe.hpp"

#include <cstdio>

int main() {
  auto controller = troupe::controller::connect("unix:///nowhere/the.sock");
  if (!controller)
    return 1;
  auto status = controller->status();
  if (status)
    return 1;
  std::printf("%s\n", status.error().message.c_str());
  return status.error().code == troupe::ec::unavailable ? 0 : 1;
}
