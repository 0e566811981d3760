#include "troupe/drivers/publish/allocator.hpp"

#include <algorithm>

namespace troupe::drivers {

namespace {

// Ranges are the users' to choose; what is remembered of them is a hint only.
constexpr size_t max_remembered_ranges = 4'096;

uint32_t key_of(protocol proto, uint16_t port) {
  return static_cast<uint32_t>(proto) << 16U | port;
}

// Would sockets at both addresses, with the same port, be in each other's way?
bool collide(const ip_address& a, const ip_address& b) {
  return a.family() == b.family()
         && (a == b || a.is_unspecified() || b.is_unspecified());
}

error range_error(std::string reason) {
  return {ec::invalid_argument, "port range: " + std::move(reason), {}, 0};
}

} // namespace

result<void> check_range(port_range range) {
  if (range.is_automatic())
    return {};
  if (range.first == 0)
    return fail(range_error("it has no beginning"));
  if (range.last == 0)
    return fail(range_error("it has no end"));
  if (range.last < range.first)
    return fail(range_error("it ends before it begins"));
  return {};
}

port_allocator::port_allocator(port_range automatic,
                               const std::bitset<65'536>& reserved)
  : automatic_{automatic}, reserved_{reserved} {
}

void port_allocator::set_automatic(port_range automatic,
                                   const std::bitset<65'536>& reserved) {
  automatic_ = automatic;
  reserved_ = reserved;
}

const std::string*
port_allocator::holder(protocol proto, const ip_address& address,
                       uint16_t port) const {
  auto i = claims_.find(key_of(proto, port));
  if (i == claims_.end())
    return nullptr;
  auto found
    = std::find_if(i->second.begin(), i->second.end(), [&](const claimed& x) {
        return collide(x.address, address);
      });
  return found == i->second.end() ? nullptr : &found->owner;
}

bool port_allocator::is_free(addresses wanted, protocol proto,
                             uint16_t port) const {
  return std::none_of(wanted.begin(), wanted.end(), [&](const ip_address& x) {
    return holder(proto, x, port) != nullptr;
  });
}

port_allocator::search::search(const port_allocator& book, addresses wanted,
                               protocol proto, port_range range, uint16_t last)
  : book_{&book}, wanted_{wanted}, proto_{proto}, range_{range},
    automatic_{range.is_automatic()}, left_{0}, port_{last} {
  if (automatic_)
    range_ = book.automatic_;
  left_ = static_cast<uint32_t>(range_.last) - range_.first + 1;
  if (port_ < range_.first || port_ > range_.last)
    port_ = range_.last;
}

std::optional<uint16_t> port_allocator::search::next() {
  while (left_ > 0) {
    --left_;
    port_
      = port_ == range_.last ? range_.first : static_cast<uint16_t>(port_ + 1);
    if (automatic_ && book_->reserved_.test(port_))
      continue;
    if (book_->is_free(wanted_, proto_, port_))
      return port_;
  }
  return std::nullopt;
}

port_allocator::search
port_allocator::find(addresses wanted, protocol proto, port_range range) const {
  auto last = uint16_t{0};
  if (!wanted.empty())
    if (auto i = last_.find({wanted.front(), proto, range}); i != last_.end())
      last = i->second;
  return {*this, wanted, proto, range, last};
}

void port_allocator::claim(addresses wanted, protocol proto, port_range range,
                           uint16_t port, const std::string& owner) {
  auto& present = claims_[key_of(proto, port)];
  for (const auto& address : wanted)
    present.push_back({address, owner});
  if (range.is_single())
    return;
  if (last_.size() > max_remembered_ranges)
    last_.clear();
  for (const auto& address : wanted)
    last_[{address, proto, range}] = port;
}

result<uint16_t>
port_allocator::take(addresses wanted, protocol proto, port_range range,
                     const std::string& owner) {
  if (static_cast<size_t>(proto) >= enum_names<protocol>.size())
    return fail(ec::invalid_argument, "take a port: unknown protocol");
  if (auto ok = check_range(range); !ok)
    return fail(std::move(ok.error()));
  if (auto port = find(wanted, proto, range).next()) {
    claim(wanted, proto, range, *port, owner);
    return *port;
  }
  if (range.is_automatic())
    return fail(ec::unavailable,
                "take a port: all automatic ports are allocated");
  if (!range.is_single())
    return fail(ec::conflict,
                "take a port: all ports from " + std::to_string(range.first)
                  + " to " + std::to_string(range.last) + " are allocated");
  for (const auto& address : wanted)
    if (const auto* other = holder(proto, address, range.first))
      return fail(ec::conflict, host_text(address, range.first) + "/"
                                  + to_string(proto) + ": already allocated to "
                                  + *other);
  return fail(ec::conflict, "take a port: already allocated");
}

bool port_allocator::give_back(protocol proto, const ip_address& address,
                               uint16_t port) {
  auto i = claims_.find(key_of(proto, port));
  if (i == claims_.end())
    return false;
  auto gone = std::erase_if(i->second, [&](const claimed& x) {
    return x.address == address;
  });
  if (i->second.empty())
    claims_.erase(i);
  return gone > 0;
}

} // namespace troupe::drivers
