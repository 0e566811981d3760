#include "troupe/tools/troupe-proxy/port.hpp"

#include <linux/filter.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace troupe::proxy {

namespace {

// Nothing arrives at a socket that is only held.
void set_filter(int fd, bool drop_all) {
  auto code = sock_filter{BPF_RET | BPF_K, 0, 0, 0};
  auto program = sock_fprog{1, &code};
  if (drop_all)
    ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
  else
    ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &program, sizeof(program));
}

} // namespace

port::port(shared_state& shared, const record& what, unique_fd socket)
  : shared_{&shared}, what_{what}, socket_{std::move(socket)},
    number_{shared.loop.enter(*this)} {
}

port::~port() {
  shared_->loop.leave(number_);
}

bool port::lead_to(const record& what) {
  what_ = what;
  set_filter(socket_.get(), !is_served());
  if (is_served() && !watched_) {
    if (!shared_->loop.watch(socket_.get(), 0, number_))
      return false;
    watched_ = true;
  }
  listen(is_served());
  return true;
}

void port::listen(bool on) {
  if (on == listening_ || !watched_)
    return;
  listening_ = on;
  shared_->loop.change(socket_.get(), on ? uint32_t{EPOLLIN} : 0U, number_);
}

bool same_socket(const port::record& a, const port::record& b) {
  return a.proto == b.proto && a.host_family == b.host_family
         && a.host_port == b.host_port && a.host_ip == b.host_ip;
}

} // namespace troupe::proxy
