#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace troupe::testing {

/// What clients asked for and what they were told, by object, to be checked
/// afterwards: is there an order of the operations, one that respects who had
/// an answer before whom, in which every answer is right? That is
/// linearizability, per object; and it is durability, since operations that
/// were under way at a crash happened before it or never.
///
/// An object is a text (`network web`) and has one state: absent, or present
/// with a value (its id, the sandbox it is in).
/// @thread_safety All methods.
class history {
public:
  /// What an operation does with an object.
  enum class action : uint8_t {
    create,    ///< Absent, then present with a value that the reply tells.
    remove,    ///< Present, then absent.
    clear,     ///< Absent afterwards if it had this value (empty: any value).
    may_clear, ///< Absent afterwards, or as before.
    read,      ///< Has this value; empty: absent.
  };

  /// What the client was told.
  enum class outcome : uint8_t {
    done,
    exists,  ///< Not done, because the object is there.
    absent,  ///< Not done, because the object is not there.
    refused, ///< Not done, for another reason.
    unknown, ///< No answer, or a deadline that passed.
  };

  /// Names a begun operation.
  using ticket = size_t;

  /// A client is about to ask. @param value see `action`; for `create` empty,
  /// or what the object must have if it is known before.
  ticket begin(std::string object, action what, std::string value = {});

  /// The client was told. After `unknown` the operation may still take effect,
  /// up to the next `settle`.
  void end(ticket which, outcome what, std::string value = {});

  /// A look at an object at this instant. @param value empty: it is absent.
  void saw(std::string object, std::string value);

  /// Nothing that was asked so far takes effect from now on: the process was
  /// killed, or everything has come to rest.
  void settle();

  /// @returns what cannot be, with the operations that contradict each other;
  /// empty if there is an order.
  std::string check() const;

  /// Number of operations and looks.
  size_t size() const;

private:
  struct entry {
    action what = action::read;
    outcome told = outcome::unknown;
    std::string value;
    uint64_t begun = 0;
    uint64_t ended = 0; ///< 0: not yet.
  };

  class search;

  static std::string to_string(const entry& x);
  static std::string
  check(const std::string& object, std::vector<entry> entries);

  mutable std::mutex mutex_;
  uint64_t now_ = 0;
  std::vector<std::pair<std::string, entry>> entries_;
  std::vector<ticket> open_;
};

} // namespace troupe::testing
