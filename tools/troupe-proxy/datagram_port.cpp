#include "troupe/tools/troupe-proxy/address.hpp"
#include "troupe/tools/troupe-proxy/port.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <string>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace troupe::proxy {

namespace {

constexpr auto datagrams_per_turn = 64;
constexpr size_t max_datagram = 65'536;

using scratch = std::array<char, max_datagram>;

// Nothing is kept between two datagrams; one buffer serves all.
scratch& buffer() {
  static auto result = std::make_unique<scratch>();
  return *result;
}

// Room for the one control message about the address that was asked.
struct control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> bytes{};
};

// The local address of a datagram, as the control message to answer with.
struct local_address {
  control message;
  size_t size = 0;
};

msghdr make_message(address& peer, iovec& data, control& ancillary) {
  auto result = msghdr{};
  result.msg_name = peer.data();
  result.msg_namelen = peer.size;
  result.msg_iov = &data;
  result.msg_iovlen = 1;
  result.msg_control = ancillary.bytes.data();
  result.msg_controllen = ancillary.bytes.size();
  return result;
}

// The interface is left to the routes: only the address must be the same.
local_address local_of(msghdr& message) {
  auto result = local_address{};
  for (auto* x = CMSG_FIRSTHDR(&message); x != nullptr;
       x = CMSG_NXTHDR(&message, x)) {
    auto v4 = x->cmsg_level == IPPROTO_IP && x->cmsg_type == IP_PKTINFO;
    auto v6 = x->cmsg_level == IPPROTO_IPV6 && x->cmsg_type == IPV6_PKTINFO;
    if (!v4 && !v6)
      continue;
    auto* head = reinterpret_cast<cmsghdr*>(result.message.bytes.data());
    head->cmsg_level = x->cmsg_level;
    head->cmsg_type = x->cmsg_type;
    if (v4) {
      auto info = in_pktinfo{};
      std::memcpy(&info, CMSG_DATA(x), sizeof(info));
      info.ipi_spec_dst = info.ipi_addr;
      info.ipi_addr = {};
      info.ipi_ifindex = 0;
      head->cmsg_len = CMSG_LEN(sizeof(info));
      std::memcpy(CMSG_DATA(head), &info, sizeof(info));
      result.size = CMSG_SPACE(sizeof(info));
    } else {
      auto info = in6_pktinfo{};
      std::memcpy(&info, CMSG_DATA(x), sizeof(info));
      // A link-local address means nothing without its interface.
      if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
        info.ipi6_ifindex = 0;
      head->cmsg_len = CMSG_LEN(sizeof(info));
      std::memcpy(CMSG_DATA(head), &info, sizeof(info));
      result.size = CMSG_SPACE(sizeof(info));
    }
  }
  return result;
}

class datagram_port;

// One client of a port.
class flow : public event_handler {
public:
  flow(datagram_port& owner, shared_state& shared, std::string key,
       address client, local_address local)
    : owner_{&owner}, shared_{&shared}, key_{std::move(key)}, client_{client},
      local_{local}, number_{shared.loop.enter(*this)} {
    ++shared.flows;
  }

  ~flow() override {
    shared_->loop.leave(number_);
    --shared_->flows;
  }

  bool open(const address& target) {
    socket_ = unique_fd{
      ::socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    return socket_ && ::connect(socket_.get(), target.data(), target.size) == 0
           && shared_->loop.watch(socket_.get(), EPOLLIN, number_);
  }

  void send(size_t size) {
    used_ = shared_->loop.now();
    ::send(socket_.get(), buffer().data(), size, MSG_DONTWAIT);
  }

  void on_event(uint32_t events) override;

  const std::string& key() const {
    return key_;
  }
  event_loop::clock::time_point used() const {
    return used_;
  }

private:
  datagram_port* owner_;
  shared_state* shared_;
  std::string key_;
  address client_;
  local_address local_;
  unique_fd socket_;
  uint64_t number_;
  event_loop::clock::time_point used_;
};

class datagram_port : public port {
public:
  using port::port;

  void on_event(uint32_t) override {
    for (auto i = 0; i < datagrams_per_turn; ++i) {
      auto client = address{};
      auto ancillary = control{};
      auto data = iovec{buffer().data(), buffer().size()};
      auto message = make_message(client, data, ancillary);
      auto size = ::recvmsg(socket(), &message, MSG_DONTWAIT);
      if (size < 0)
        return;
      client.size = message.msg_namelen;
      // A partner is for the same protocol.
      auto* owner = static_cast<datagram_port*>(owner_of(client));
      auto* x
        = owner != nullptr ? owner->find(client, local_of(message)) : nullptr;
      if (x != nullptr)
        x->send(static_cast<size_t>(size));
    }
  }

  void tick() override {
    auto oldest_wanted = shared().loop.now() - shared().limits.flow_rest;
    while (!flows_.empty() && flows_.front()->used() < oldest_wanted)
      forget_oldest();
  }

  bool is_idle() const override {
    return flows_.empty();
  }

  void answer(const address& client, local_address& local, size_t size) {
    auto to = client;
    auto data = iovec{buffer().data(), size};
    auto message = make_message(to, data, local.message);
    message.msg_controllen = local.size;
    if (local.size == 0)
      message.msg_control = nullptr;
    ::sendmsg(socket(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // It was used: others are older now.
  void touch(const std::string& key) {
    auto i = by_key_.find(key);
    if (i != by_key_.end())
      flows_.splice(flows_.end(), flows_, i->second);
  }

private:
  using flow_list = std::list<std::unique_ptr<flow>>;

  flow* find(const address& client, const local_address& local) {
    auto key = std::string{reinterpret_cast<const char*>(&client.storage),
                           client.size};
    key.append(local.message.bytes.data(), local.size);
    if (auto i = by_key_.find(key); i != by_key_.end()) {
      flows_.splice(flows_.end(), flows_, i->second);
      return i->second->get();
    }
    // The port's own oldest client makes room; another port's stay.
    if (shared().flows >= shared().limits.flows) {
      if (flows_.empty())
        return nullptr;
      forget_oldest();
    }
    auto x = std::make_unique<flow>(*this, shared(), key, client, local);
    if (!x->open(target_of(what()))) {
      if (errno == EMFILE && !flows_.empty())
        forget_oldest();
      return nullptr;
    }
    by_key_[key] = flows_.insert(flows_.end(), std::move(x));
    return flows_.back().get();
  }

  void forget_oldest() {
    by_key_.erase(flows_.front()->key());
    flows_.pop_front();
  }

  flow_list flows_; // Least recently used first.
  std::map<std::string, flow_list::iterator> by_key_;
};

void flow::on_event(uint32_t) {
  for (auto i = 0; i < datagrams_per_turn; ++i) {
    auto size
      = ::recv(socket_.get(), buffer().data(), buffer().size(), MSG_DONTWAIT);
    // "Connection refused" is the container's answer to an earlier one.
    if (size < 0)
      return;
    used_ = shared_->loop.now();
    owner_->touch(key_);
    owner_->answer(client_, local_, static_cast<size_t>(size));
  }
}

} // namespace

std::unique_ptr<port>
make_datagram_port(shared_state& shared, const port::record& what,
                   socket_ptr socket) {
  return std::make_unique<datagram_port>(shared, what, std::move(socket));
}

} // namespace troupe::proxy
