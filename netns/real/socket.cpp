#include "troupe/netns/real/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/time.h>

namespace troupe::netns {

namespace {

// Dumps come in datagrams of at most 32 KiB; a buffer of that size makes the
// kernel use it, which is what keeps interrupted dumps rare.
constexpr auto buffer_bytes = size_t{32768};

// Room for a dump's next datagram and some late answers.
constexpr auto receive_buffer_bytes = 1 << 18;

constexpr auto answer_timeout = std::chrono::seconds{5};

constexpr auto most_dumps = 10;

bool enable(int fd, int option, int on = 1) {
  return ::setsockopt(fd, SOL_NETLINK, option, &on, sizeof on) == 0;
}

netlink_ack decode_error(const nlmsghdr& message) {
  constexpr auto least = NLMSG_LENGTH(sizeof(nlmsgerr));
  if (message.nlmsg_len < least)
    return {EBADMSG, "short answer"};
  auto answer = body_of<nlmsgerr>(message);
  auto result = netlink_ack{-answer.error, {}};
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0)
    return result;
  // With NETLINK_CAP_ACK only the header of our request comes back, without
  // NLM_F_CAPPED it was so short that all of it did.
  auto offset = sizeof answer;
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0)
    offset += NLMSG_ALIGN(answer.msg.nlmsg_len) - sizeof(nlmsghdr);
  auto* data = static_cast<char*>(NLMSG_DATA(const_cast<nlmsghdr*>(&message)));
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_HDRLEN)
              - static_cast<int>(offset);
  nlattr* words = left > 0 ? nla_find(reinterpret_cast<nlattr*>(data + offset),
                                      left, NLMSGERR_ATTR_MSG)
                           : nullptr;
  if (words != nullptr) {
    auto* text = static_cast<const char*>(nla_data(words));
    result.detail.assign(text, strnlen(text, nla_len(words)));
  }
  return result;
}

// The end of a dump carries an error in the place of the count.
netlink_ack decode_done(const nlmsghdr& message) {
  auto outcome = body_of<int>(message);
  return {outcome < 0 ? -outcome : 0, {}};
}

// The beginning and the end of a transaction around messages.
std::vector<uint8_t> frame(std::span<const uint8_t> messages) {
  struct edge {
    nlmsghdr header;
    nfgenmsg body;
  };
  auto make = [](uint16_t type) {
    return edge{{sizeof(edge), type, NLM_F_REQUEST, 0, 0},
                {AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)}};
  };
  auto result = std::vector<uint8_t>(messages.size() + 2 * sizeof(edge));
  auto begin = make(NFNL_MSG_BATCH_BEGIN);
  auto end = make(NFNL_MSG_BATCH_END);
  std::memcpy(result.data(), &begin, sizeof begin);
  std::ranges::copy(messages, result.begin() + sizeof begin);
  std::memcpy(result.data() + result.size() - sizeof end, &end, sizeof end);
  return result;
}

} // namespace

unique_fd netlink_socket::open_descriptor(int protocol) {
  return unique_fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
}

result<netlink_socket> netlink_socket::adopt(unique_fd fd) {
  auto size = receive_buffer_bytes;
  auto limit = timeval{answer_timeout.count(), 0};
  auto n = fd.get();
  // Not fatal: old kernels have no NETLINK_GET_STRICT_CHK, and without it the
  // readers filter themselves.
  enable(n, NETLINK_GET_STRICT_CHK);
  if (!enable(n, NETLINK_EXT_ACK) || !enable(n, NETLINK_CAP_ACK)
      || ::setsockopt(n, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0
      || ::setsockopt(n, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return fail(os_failure(errno, "set options of netlink socket"));
  return netlink_socket{std::move(fd)};
}

netlink_ack netlink_socket::send(netlink_message& request, int extra_flags) {
  auto* header = request.header();
  if (header == nullptr)
    return {EMSGSIZE, "request too long"};
  header->nlmsg_flags |= static_cast<uint16_t>(extra_flags);
  header->nlmsg_seq = oldest_ = ++sequence_;
  header->nlmsg_pid = 0;
  while (::send(fd_.get(), header, header->nlmsg_len, 0) < 0)
    if (errno != EINTR)
      return {errno, {}};
  return {};
}

template <class Handle>
netlink_ack netlink_socket::receive(Handle&& handle) {
  alignas(nlmsghdr) char buffer[buffer_bytes];
  auto sender = sockaddr_nl{};
  auto vector = iovec{buffer, sizeof buffer};
  auto header = msghdr{&sender, sizeof sender, &vector, 1, nullptr, 0, 0};
  auto size = ssize_t{0};
  do
    size = ::recvmsg(fd_.get(), &header, 0);
  while (size < 0 && errno == EINTR);
  if (size < 0)
    return {errno == EAGAIN ? ETIMEDOUT : errno, {}};
  if ((header.msg_flags & MSG_TRUNC) != 0)
    return {EMSGSIZE, "answer too long"};
  if (sender.nl_pid != 0)
    return {}; // Another process; only the kernel is believed.
  auto left = static_cast<int>(size);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer);
       nlmsg_ok(message, left); message = nlmsg_next(message, &left))
    // The numbers may wrap around between the two.
    if (message->nlmsg_seq - oldest_ <= sequence_ - oldest_)
      handle(*message);
  return {};
}

netlink_ack netlink_socket::call(netlink_message& request) {
  auto answered = false;
  auto answer = send(request, NLM_F_ACK);
  auto handle = [&](const nlmsghdr& message) {
    if (message.nlmsg_type != NLMSG_ERROR)
      return;
    answer = decode_error(message);
    answered = true;
  };
  while (answer.ok() && !answered)
    if (auto received = receive(handle); !received.ok())
      return received;
  return answer;
}

std::vector<netlink_ack> netlink_socket::call_together(
  std::initializer_list<netlink_message*> requests) {
  auto unanswered = netlink_ack{ETIMEDOUT, {}};
  auto answers = std::vector<netlink_ack>(requests.size(), unanswered);
  auto batch = std::vector<uint8_t>{};
  oldest_ = sequence_ + 1;
  for (auto* request : requests) {
    auto* header = request->header();
    if (header == nullptr)
      return {requests.size(), netlink_ack{EMSGSIZE, "request too long"}};
    header->nlmsg_flags |= NLM_F_ACK;
    header->nlmsg_seq = ++sequence_;
    header->nlmsg_pid = 0;
    const auto* bytes = reinterpret_cast<const uint8_t*>(header);
    batch.insert(batch.end(), bytes, bytes + header->nlmsg_len);
    batch.resize(NLMSG_ALIGN(batch.size()));
  }
  while (::send(fd_.get(), batch.data(), batch.size(), 0) < 0)
    if (errno != EINTR)
      return {requests.size(), netlink_ack{errno, {}}};
  auto left = requests.size();
  auto handle = [&](const nlmsghdr& message) {
    auto number = message.nlmsg_seq - oldest_;
    if (message.nlmsg_type != NLMSG_ERROR || number >= answers.size())
      return;
    answers[number] = decode_error(message);
    --left;
  };
  while (left > 0)
    if (auto received = receive(handle); !received.ok())
      break;
  return answers;
}

netlink_ack
netlink_socket::query(netlink_message& request, const visitor& visit) {
  auto answered = false;
  auto answer = send(request, 0);
  auto handle = [&](const nlmsghdr& message) {
    answered = true;
    if (message.nlmsg_type == NLMSG_ERROR)
      answer = decode_error(message);
    else
      visit(message);
  };
  while (answer.ok() && !answered)
    if (auto received = receive(handle); !received.ok())
      return received;
  return answer;
}

netlink_ack netlink_socket::dump_once(netlink_message& request,
                                      const visitor& visit, bool& interrupted) {
  auto done = false;
  auto answer = send(request, NLM_F_DUMP);
  auto handle = [&](const nlmsghdr& message) {
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0)
      interrupted = true;
    done = done || message.nlmsg_type == NLMSG_DONE
           || message.nlmsg_type == NLMSG_ERROR;
    if (message.nlmsg_type == NLMSG_ERROR)
      answer = decode_error(message);
    else if (message.nlmsg_type == NLMSG_DONE)
      answer = decode_done(message);
    else
      visit(message);
  };
  while (answer.ok() && !done)
    if (auto received = receive(handle); !received.ok())
      return received;
  return answer;
}

netlink_ack netlink_socket::dump(netlink_message& request,
                                 const std::function<void()>& restart,
                                 const visitor& visit) {
  for (int i = 0; i < most_dumps; ++i) {
    auto interrupted = false;
    auto answer = dump_once(request, visit, interrupted);
    if (!answer.ok() || !interrupted)
      return answer;
    restart();
    // Whoever changes things now may be done soon; 100 ms in all.
    std::this_thread::sleep_for(std::chrono::milliseconds{2 * i});
  }
  return {EAGAIN, "the list changed while it was read, 10 times over"};
}

netlink_ack
netlink_socket::transact(std::span<const uint8_t> messages, int& failed) {
  failed = -1;
  auto batch = frame(messages);
  oldest_ = sequence_ + 1;
  auto left = static_cast<int>(batch.size());
  auto* last = static_cast<nlmsghdr*>(nullptr);
  for (auto* x = reinterpret_cast<nlmsghdr*>(batch.data()); nlmsg_ok(x, left);
       x = nlmsg_next(x, &left)) {
    x->nlmsg_seq = ++sequence_;
    if (x->nlmsg_type != NFNL_MSG_BATCH_END)
      last = x;
  }
  // Refused messages are answered all, the others only if they ask. So this
  // answer is the end, whatever it says.
  last->nlmsg_flags |= NLM_F_ACK;
  auto end = last->nlmsg_seq;
  while (::send(fd_.get(), batch.data(), batch.size(), 0) < 0)
    if (errno != EINTR)
      return {errno, {}};
  auto done = false;
  auto answer = netlink_ack{};
  auto handle = [&](const nlmsghdr& message) {
    if (message.nlmsg_type != NLMSG_ERROR)
      return;
    auto one = decode_error(message);
    auto number = static_cast<int>(message.nlmsg_seq - oldest_) - 1;
    done = done || message.nlmsg_seq == end || (number < 0 && !one.ok());
    if (one.ok() || !answer.ok())
      return;
    answer = std::move(one);
    failed = number;
  };
  while (!done)
    if (auto received = receive(handle); !received.ok())
      return received;
  return answer;
}

void netlink_socket::set_strict(bool on) const {
  static_cast<void>(enable(fd_.get(), NETLINK_GET_STRICT_CHK, on ? 1 : 0));
}

} // namespace troupe::netns
