#pragma once

#include "troupe/drivers/publish/port_book.hpp"
#include "troupe/netns/ports/simulated_ports.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::drivers::test {

using troupe::test::ip;

/// A book on a simulated host whose automatic ports begin at 32768 = E.
class book_fixture : public ::testing::Test {
protected:
  book_fixture() {
    host.addresses = {ip("10.0.0.1"), ip("10.0.0.2"), ip("fd00::1")};
    open_book();
  }

  void open_book(bool with_proxy = true) {
    book.reset();
    book = std::make_unique<port_book>(
      host.make_sockets(), with_proxy ? host.make_proxy() : nullptr);
  }

  /// An endpoint like those of the table: 172.19.0.2 and fdf8:…::2.
  static publisher endpoint(std::string name = "web", bool v6 = true) {
    auto id = endpoint_id{std::string(64, name.front() % 2 == 0 ? 'a' : 'b')};
    id.value.replace(0, 1, 1, "0123456789abcdef"[name.back() % 16]);
    auto result = publisher{id, std::move(name), ip("172.19.0.2"), {}};
    if (v6)
      result.ipv6 = ip("fdf8:b88e:bb5c:3483::2");
    return result;
  }

  static std::vector<port_spec> wishes(const std::vector<std::string>& texts) {
    auto result = std::vector<port_spec>{};
    for (const auto& text : texts)
      result.push_back(*parse_port_spec(text));
    return result;
  }

  static std::vector<std::string>
  texts(const std::vector<port_binding>& bindings) {
    auto result = std::vector<std::string>{};
    for (const auto& x : bindings)
      result.push_back(x.host_port == 0
                         ? to_string(x.host_ip) + " " + to_string(x)
                         : to_string(x));
    return result;
  }

  /// Bindings as text, or the error's message.
  std::vector<std::string>
  publish(const publisher& owner, const std::vector<std::string>& ports) {
    auto done = book->publish(owner, wishes(ports), options);
    if (!done)
      return {done.error().message};
    return texts(*done);
  }

  netns::simulated_ports host;
  publish_options options;
  std::unique_ptr<port_book> book;
};

} // namespace troupe::drivers::test
