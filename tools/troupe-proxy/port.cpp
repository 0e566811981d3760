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

port::port(shared_state& shared, const record& what, socket_ptr socket)
  : shared_{&shared}, what_{what}, socket_{std::move(socket)},
    number_{shared.loop.enter(*this)} {
}

port::~port() {
  shared_->loop.leave(number_);
}

bool port::lead_to(const record& what) {
  what_ = what;
  return is_guest_ ? partner_->suit_socket() : suit_socket();
}

void port::share_with(port& other) {
  partner_ = &other;
  other.partner_ = this;
  other.is_guest_ = true;
}

void port::close() {
  if (partner_ != nullptr) {
    partner_->partner_ = nullptr;
    partner_->is_guest_ = false;
  }
  partner_ = nullptr;
  is_guest_ = false;
  watched_ = false;
  listening_ = false;
  silent_.reset();
  socket_.reset();
}

void port::reopen(socket_ptr socket) {
  socket_ = std::move(socket);
}

port* port::owner_of(const address& client) {
  auto* owner = is_mapped(client) ? partner_ : this;
  return owner != nullptr && owner->has_target() ? owner : nullptr;
}

bool port::is_served() const {
  return has_target() || (partner_ != nullptr && partner_->has_target());
}

bool port::suit_socket() {
  if (!socket_)
    return true;
  const auto served = is_served();
  if (silent_ != !served)
    set_filter(socket(), !served);
  silent_ = !served;
  if (!served || watched_) {
    listen(served);
    return true;
  }
  watched_ = shared_->loop.watch(socket(), EPOLLIN, number_);
  listening_ = watched_;
  return watched_;
}

void port::resume() {
  if (is_served())
    listen(true);
}

void port::pause() {
  listen(false);
}

void port::listen(bool on) {
  if (on == listening_ || !watched_)
    return;
  listening_ = on;
  shared_->loop.change(socket(), on ? uint32_t{EPOLLIN} : 0U, number_);
}

bool same_socket(const port::record& a, const port::record& b) {
  return a.proto == b.proto && a.host_family == b.host_family
         && a.host_port == b.host_port && a.host_ip == b.host_ip;
}

} // namespace troupe::proxy
