#include "troupe/actors/remote/basp.hpp"

#include <caf/io/basp/version.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <fcntl.h>

namespace troupe::remote {

namespace {

using caf::io::network::default_multiplexer;

default_multiplexer& multiplexer_of(caf::actor_system& system) {
  return dynamic_cast<default_multiplexer&>(system.middleman().backend());
}

// CAF asks its sockets for address and port, and ends the program when they are
// not of the Internet.
class socket_scribe final : public caf::io::network::scribe_impl {
public:
  using scribe_impl::scribe_impl;

  std::string addr() const override {
    return "peer";
  }
  uint16_t port() const override {
    return detail::no_port;
  }
};

// A door through which exactly one peer comes.
class one_peer final : public caf::io::doorman {
public:
  one_peer(default_multiplexer& loop, int socket)
    : doorman{caf::io::network::accept_hdl_from_socket(socket)}, loop_{loop},
      socket_{socket} {
  }

  // The broker launches a doorman before it knows what is published there, so
  // the peer enters in the loop's next round.
  void launch() override {
    loop_.post([self = caf::intrusive_ptr<one_peer>{this}] {
      self->new_connection();
    });
  }

  bool new_connection() override {
    if (detached() || socket_ < 0)
      return false;
    auto scribe
      = caf::make_counted<socket_scribe>(loop_, std::exchange(socket_, -1));
    auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return doorman::new_connection(&loop_, handle);
  }

  void graceful_shutdown() override {
  }
  void add_to_loop() override {
  }
  void remove_from_loop() override {
  }
  std::string addr() const override {
    return "peer";
  }
  uint16_t port() const override {
    return detail::no_port;
  }

private:
  default_multiplexer& loop_;
  int socket_;
};

void set_nonblocking(int fd) {
  (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

uint64_t read_big_endian(std::string_view bytes) {
  auto result = uint64_t{0};
  for (auto c : bytes)
    result = result << 8U | static_cast<unsigned char>(c);
  return result;
}

// A socket handed to CAF is closed by it.
int release(netns::unique_fd socket) {
  auto copy = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0);
  set_nonblocking(copy);
  return copy;
}

} // namespace

result<void> check_greeting(std::string_view header) {
  constexpr size_t version_at = 8;
  auto is_greeting = header.size() == basp_header_bytes && header[0] == 0;
  if (!is_greeting)
    return fail(ec::unsupported, "the other side does not speak CAF's protocol",
                "is it troupe-remote that listens there?");
  auto version = read_big_endian(header.substr(version_at, sizeof(uint64_t)));
  if (version != caf::io::basp::version)
    return fail(ec::unsupported,
                "the other side speaks version " + std::to_string(version)
                  + " of CAF's protocol, this program version "
                  + std::to_string(caf::io::basp::version),
                "build both with the same CAF");
  return {};
}

void serve_peer(caf::actor_system& system, netns::unique_fd socket,
                const caf::strong_actor_ptr& whom,
                std::set<std::string> interface) {
  auto door = caf::io::doorman_ptr{caf::make_counted<one_peer>(
    multiplexer_of(system), release(std::move(socket)))};
  caf::anon_send(detail::basp_broker_of(system), caf::publish_atom::value,
                 std::move(door), detail::no_port, whom, std::move(interface));
}

namespace detail {

caf::actor basp_broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(
    caf::atom("BASP"));
}

caf::io::scribe_ptr
make_scribe(caf::actor_system& system, netns::unique_fd socket) {
  return caf::make_counted<socket_scribe>(multiplexer_of(system),
                                          release(std::move(socket)));
}

} // namespace detail

} // namespace troupe::remote
