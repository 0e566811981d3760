#include "troupe/drivers/ipam/address_book.hpp"

#include <algorithm>
#include <limits>

namespace troupe::ipam {

namespace {

uint64_t saturated(uint128 x) {
  return static_cast<uint64_t>(
    std::min(x, uint128{std::numeric_limits<uint64_t>::max()}));
}

/// True if the subnet has more than two addresses, so that some can be spared.
bool keeps_back(const prefix& subnet) {
  return subnet.length() + 1 < subnet.address().bits();
}

} // namespace

address_book::address_book(const prefix& subnet,
                           const std::optional<prefix>& range)
  : subnet_{subnet}, range_{range.value_or(subnet)},
    next_{range_.first().number()}, free_in_range_{range_.size()} {
  if (!keeps_back(subnet_))
    return;
  reserve(subnet_.first());
  if (subnet_.family() == ip_family::v4)
    reserve(subnet_.last());
}

void address_book::reserve(const ip_address& x) {
  taken_.insert(x.number(), x.number());
  if (range_.contains(x))
    --free_in_range_;
}

std::string_view address_book::reserved_as(const ip_address& x) const {
  if (!keeps_back(subnet_))
    return {};
  if (x == subnet_.first())
    return x.is_v4() ? "the network address" : "the subnet-router address";
  if (x.is_v4() && x == subnet_.last())
    return "the broadcast address";
  return {};
}

interface_address address_book::take(const ip_address& x) {
  taken_.insert(x.number(), x.number());
  ++held_;
  if (range_.contains(x))
    --free_in_range_;
  return {x, subnet_.length()};
}

result<interface_address> address_book::claim(const ip_address& wanted) {
  auto refuse = [&](ec code, std::string_view reason, std::string hint = {}) {
    return fail(code,
                "claim address " + to_string(wanted) + ": "
                  + std::string{reason} + " " + to_string(subnet_),
                std::move(hint));
  };
  if (!subnet_.contains(wanted))
    return refuse(ec::invalid_argument, "outside of subnet");
  if (auto what = reserved_as(wanted); !what.empty())
    return refuse(ec::invalid_argument, std::string{what} + " of");
  if (taken_.contains(wanted.number()))
    return refuse(ec::conflict, "already in use in",
                  "leave the address out to get a free one");
  return take(wanted);
}

result<interface_address> address_book::claim_any() {
  auto first = range_.first().number();
  auto last = range_.last().number();
  auto found = taken_.first_gap(next_, last);
  if (!found && next_ > first)
    found = taken_.first_gap(first, next_ - 1);
  if (!found) {
    auto where = to_string(subnet_);
    if (range_ != subnet_)
      where = to_string(range_) + ", the address range of " + where;
    return fail(
      ec::unavailable, "claim address: no available addresses in " + where,
      range_ != subnet_ ? "remove endpoints, ask for an address outside of the "
                          "range, or make the network with a larger one"
                        : "remove endpoints, or make the network with a larger "
                          "subnet");
  }
  next_ = *found == last ? first : *found + 1;
  return take(ip_address::from_number(subnet_.family(), *found));
}

void address_book::release(const ip_address& x) {
  if (!is_held(x))
    return;
  taken_.erase(x.number(), x.number());
  --held_;
  if (range_.contains(x))
    ++free_in_range_;
}

bool address_book::is_held(const ip_address& x) const {
  return subnet_.contains(x) && reserved_as(x).empty()
         && taken_.contains(x.number());
}

uint64_t address_book::held() const {
  return saturated(held_);
}

uint64_t address_book::available() const {
  return saturated(free_in_range_);
}

} // namespace troupe::ipam
