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

/// What the bytes begin with; what they lack, or all if there are none, is
/// zero.
template <class T>
T beginning_of(std::string_view bytes) {
  auto result = T{};
  // memcpy must not be given the null pointer of an empty view.
  bytes.copy(reinterpret_cast<char*>(&result), sizeof result);
  return result;
}

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
    return beginning_of<Head>(body_);
  }

  /// The attributes behind a fixed header of that size.
  audit_attributes attributes(size_t head_size) const;

private:
  std::string body_;
};

/// Appends an attribute to a request.
void audit_put(std::string& request, int type, std::string_view value);

/// A socket that asks for lists, in the namespace it was opened in.
class audit_socket {
public:
  /// @param protocol Of netlink.
  static result<audit_socket> open(int protocol = NETLINK_ROUTE);

  /// Everything of a kind, or an error. @param head The fixed header.
  /// @param attributes Made by `audit_put`.
  template <class Head>
  result<std::vector<audit_message>>
  dump(uint16_t type, const Head& head, std::string_view attributes = {}) {
    return dump_bytes(type, {reinterpret_cast<const char*>(&head), sizeof head},
                      attributes);
  }

  /// The answer to one question. Errors: as the kernel says.
  /// @param attributes Made by `audit_put`.
  template <class Head>
  result<audit_message>
  ask(uint16_t type, const Head& head, std::string_view attributes) {
    return ask_bytes(type, {reinterpret_cast<const char*>(&head), sizeof head},
                     attributes);
  }

private:
  explicit audit_socket(unique_fd fd) : fd_(std::move(fd)) {
  }

  result<audit_message>
  ask_bytes(uint16_t type, std::string_view head, std::string_view attributes);

  result<std::vector<audit_message>>
  dump_bytes(uint16_t type, std::string_view head, std::string_view attributes);

  // One attempt; says in `changed` that the list changed meanwhile.
  result<std::vector<audit_message>>
  dump_once(uint16_t type, std::string_view head, std::string_view attributes,
            bool& changed);

  result<void> send(uint16_t type, int flags, std::string_view head,
                    std::string_view attributes);

  // Receives until the end of a list or, if `single`, the first object.
  result<std::vector<audit_message>> receive(bool single, bool& changed);

  // Takes the messages of a datagram. @returns true at the end of the list.
  result<bool> take(std::string_view datagram,
                    std::vector<audit_message>& found, bool& changed) const;

  unique_fd fd_;
  uint32_t sequence_ = 0;
};

} // namespace troupe::netns
