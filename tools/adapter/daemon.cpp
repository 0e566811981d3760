#include "troupe/tools/adapter/daemon.hpp"

#include <algorithm>
#include <utility>

namespace troupe::adapter {

using std::chrono::milliseconds;

daemon_link::daemon_link(std::shared_ptr<backend> link, milliseconds deadline)
  : link_{std::move(link)}, due_{std::chrono::steady_clock::now() + deadline} {
}

milliseconds daemon_link::time_left() const {
  auto left = std::chrono::duration_cast<milliseconds>(
    due_ - std::chrono::steady_clock::now());
  return std::max(left, milliseconds{0});
}

daemon_link daemon_link::again(milliseconds deadline) const {
  return {link_, deadline};
}

result<reply> daemon_link::call(request what) {
  auto left = time_left();
  if (left.count() == 0)
    return fail(ec::timeout, "ask the daemon: the time for this call is over");
  return link_->call(std::move(what), left);
}

} // namespace troupe::adapter
