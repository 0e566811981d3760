#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>
#include <sys/socket.h>

/// A second, smaller reader of netlink, for the audit alone. Private to netns.
namespace troupe::netns {

/// The attributes in a piece of memory; looks at it anew for each question.
class audit_attributes {
public:
  explicit audit_attributes(std::string_view memory) : memory_(memory) {
  }

  /// The attribute's value; empty if there is none.
  std::string_view bytes(int type) const;

  /// Text up to the first zero byte.
  std::string text(int type) const;

  /// The attributes inside an attribute.
  audit_attributes inside(int type) const {
    return audit_attributes{bytes(type)};
  }

  /// A number; zero if there is none of that size.
  template <class T>
  T number(int type) const {
    auto value = bytes(type);
    auto result = T{};
    if (value.size() == sizeof result)
      std::memcpy(&result, value.data(), sizeof result);
    return result;
  }

private:
  std::string_view memory_;
};

/// A copy of one received object, without the netlink header.
class audit_message {
public:
  explicit audit_message(std::string_view body) : body_(body) {
  }

  /// The fixed header.
  template <class Head>
  Head head() const {
    auto result = Head{};
    std::memcpy(&result, body_.data(), std::min(sizeof result, body_.size()));
    return result;
  }

  /// The attributes behind a fixed header of that size.
  audit_attributes attributes(size_t head_size) const;

private:
  std::string body_;
};

/// A socket that asks for lists, in the namespace it was opened in.
class audit_socket {
public:
  /// @param protocol Of netlink.
  static result<audit_socket> open(int protocol = NETLINK_ROUTE);

  /// Everything of a kind, or an error. @param head The fixed header.
  template <class Head>
  result<std::vector<audit_message>> dump(uint16_t type, const Head& head) {
    return dump_bytes(type,
                      {reinterpret_cast<const char*>(&head), sizeof head});
  }

private:
  explicit audit_socket(unique_fd fd) : fd_(std::move(fd)) {
  }

  result<std::vector<audit_message>>
  dump_bytes(uint16_t type, std::string_view head);

  // One attempt; says in `changed` that the list changed meanwhile.
  result<std::vector<audit_message>>
  dump_once(uint16_t type, std::string_view head, bool& changed);

  result<void> ask(uint16_t type, std::string_view head);

  // Takes the messages of a datagram. @returns true at the end of the list.
  result<bool> take(std::string_view datagram,
                    std::vector<audit_message>& found, bool& changed) const;

  unique_fd fd_;
  uint32_t sequence_ = 0;
};

} // namespace troupe::netns
