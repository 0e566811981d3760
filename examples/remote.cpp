// The daemon of another host, through its troupe-remote: the same facade as
// embedded. Makes a network, attaches a sandbox and shows what happened there.
//
// Usage: remote caf+tls://HOST[:PORT] CERTIFICATE KEY AUTHORITY
// (troupe-remote init-pki makes the three files for a trial.)

#include "troupe/actors/troupe.hpp"

#include <atomic>
#include <iostream>

namespace {

/// Prints why a step failed.
template <class T>
bool failed(const char* step, const troupe::result<T>& x) {
  if (!x)
    std::cerr << step << ": " << x.error().message << " " << x.error().hint
              << '\n';
  return !x;
}

int run(const std::string& uri, const troupe::credentials& who) {
  // Whether anybody is there shows with the first request.
  auto controller = troupe::controller::connect(uri, who);
  if (failed("connect", controller))
    return 1;
  controller->set_deadline(std::chrono::seconds{20});

  auto status = controller->status();
  if (failed("status", status))
    return 1;
  std::cout << "daemon    " << status->version << '\n';

  // Events come on a thread of the connection, also after it was made anew.
  auto seen = std::atomic<int>{0};
  auto subscription = controller->subscribe([&](const troupe::event& x) {
    // One line at once, for this thread prints as well.
    std::cout << "event     " + x.type + " " + x.action + " " + x.name + "\n";
    ++seen;
  });
  if (failed("subscribe", subscription))
    return 1;

  // A request that was sent when the connection broke is sent again on the next
  // one and happens once.
  auto network = controller->create_network("bridge", "remote1");
  if (failed("create network", network))
    return 1;
  auto sandbox = controller->create_sandbox("container1");
  if (failed("create sandbox", sandbox))
    return 1;
  auto endpoint = network->attach(*sandbox);
  if (failed("attach", endpoint))
    return 1;
  auto info = endpoint->info();
  if (failed("info", info))
    return 1;
  std::cout << "address   " + to_string(info->spec.addresses.front()) + "\n";

  if (failed("remove", sandbox->remove())
      || failed("remove", network->remove()))
    return 1;
  controller->unsubscribe(*subscription);
  return seen > 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: remote caf+tls://HOST[:PORT] CERTIFICATE KEY "
                 "AUTHORITY\n";
    return 2;
  }
  return run(argv[1], {argv[2], argv[3], argv[4]});
}
