// Random sequences against models that are too simple to be wrong: a
// `std::set` of numbers.

#include "troupe/drivers/ipam/address_book.hpp"
#include "troupe/drivers/ipam/address_space.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "text.hpp"
#include <set>

namespace troupe::ipam {
namespace {

using test::net;

/// Runs a property of rapidcheck as a GoogleTest assertion. `RC_PARAMS` in the
/// environment sets seed and number of runs.
template <class Property>
void check(Property property) {
  EXPECT_TRUE(rc::check(property));
}

TEST(NumberSetProperty, EqualsASetOfNumbers) {
  check([] {
    auto real = number_set{};
    auto model = std::set<unsigned>{};
    auto steps = *rc::gen::inRange(1, 60);
    for (auto step = 0; step < steps; ++step) {
      auto first = *rc::gen::inRange(0U, 64U);
      auto last = *rc::gen::inRange(first, 64U);
      auto adds = *rc::gen::arbitrary<bool>();
      for (auto x = first; x <= last; ++x)
        adds ? (void)model.insert(x) : (void)model.erase(x);
      adds ? real.insert(first, last) : real.erase(first, last);
      auto intervals = size_t{0};
      for (auto x = 0U; x < 64; ++x) {
        RC_ASSERT(real.contains(x) == model.contains(x));
        if (model.contains(x) && !model.contains(x + 1))
          ++intervals;
        auto gap = x;
        while (model.contains(gap))
          ++gap;
        auto found = real.first_gap(x, 63);
        RC_ASSERT(found.has_value() == (gap < 64));
        if (found)
          RC_ASSERT(static_cast<unsigned>(*found) == gap);
      }
      RC_ASSERT(real.intervals() == intervals);
      auto any = model.lower_bound(first);
      RC_ASSERT(real.contains_any(first, last)
                == (any != model.end() && *any <= last));
    }
  });
}

/// The rules of an address book, told with a set.
struct book_model {
  prefix subnet;
  prefix range;
  std::set<ip_address> held = {};

  bool usable(const ip_address& x) const {
    if (!subnet.contains(x))
      return false;
    auto bits = subnet.address().bits() - subnet.length();
    if (bits <= 1)
      return true;
    if (x == subnet.first())
      return false;
    return !(x.is_v4() && x == subnet.last());
  }

  uint64_t available() const {
    auto result = uint64_t{0};
    for (auto i = uint128{0}; i < range.size(); ++i)
      if (usable(range.at(i)) && !held.contains(range.at(i)))
        ++result;
    return result;
  }
};

/// A subnet of up to 64 addresses and a range in it.
std::pair<prefix, std::optional<prefix>> random_lease() {
  auto family = *rc::gen::element(ip_family::v4, ip_family::v6);
  auto bits = family == ip_family::v4 ? 32 : 128;
  auto length = bits - *rc::gen::inRange(0, 7);
  auto base = family == ip_family::v4 ? net("10.0.0.0/8") : net("fd00::/8");
  auto offset = uint128{*rc::gen::inRange(0U, 1U << 20)};
  auto subnet = prefix{base.at(offset), static_cast<uint8_t>(length)};
  if (*rc::gen::arbitrary<bool>())
    return {subnet, std::nullopt};
  auto inner = *rc::gen::inRange(length, bits + 1);
  auto index
    = *rc::gen::inRange(uint64_t{0}, static_cast<uint64_t>(subnet.size()));
  return {subnet, prefix{subnet.at(index), static_cast<uint8_t>(inner)}};
}

/// An address of the subnet, or a little beside it.
ip_address random_address(const prefix& subnet) {
  auto size = static_cast<int64_t>(subnet.size());
  auto offset = *rc::gen::inRange<int64_t>(-2, size + 2);
  return ip_address::from_number(
    subnet.family(), subnet.first().number()
                       + static_cast<uint128>(static_cast<__int128>(offset)));
}

void claim_step(address_book& real, book_model& model) {
  auto wanted = random_address(model.subnet);
  auto taken = model.held.contains(wanted);
  auto claimed = real.claim(wanted);
  if (!model.usable(wanted)) {
    RC_ASSERT(!claimed);
    RC_ASSERT(claimed.error().code == ec::invalid_argument);
  } else if (taken) {
    RC_ASSERT(!claimed);
    RC_ASSERT(claimed.error().code == ec::conflict);
  } else {
    RC_ASSERT(claimed.has_value());
    RC_ASSERT(claimed->address == wanted);
    model.held.insert(wanted);
  }
}

void claim_any_step(address_book& real, book_model& model) {
  auto free = model.available();
  auto claimed = real.claim_any();
  RC_ASSERT(claimed.has_value() == (free > 0));
  if (!claimed) {
    RC_ASSERT(claimed.error().code == ec::unavailable);
    return;
  }
  RC_ASSERT(claimed->length == model.subnet.length());
  RC_ASSERT(model.range.contains(claimed->address));
  RC_ASSERT(model.usable(claimed->address));
  RC_ASSERT(model.held.insert(claimed->address).second); // Never two holders.
}

TEST(AddressBookProperty, EqualsASetOfAddresses) {
  check([] {
    auto [subnet, range] = random_lease();
    auto real = address_book{subnet, range};
    auto model = book_model{subnet, range.value_or(subnet)};
    auto steps = *rc::gen::inRange(1, 200);
    for (auto step = 0; step < steps; ++step) {
      auto kind = *rc::gen::inRange(0, 4);
      if (kind == 0) {
        claim_step(real, model);
      } else if (kind == 1) {
        auto x = random_address(subnet);
        real.release(x);
        model.held.erase(x);
      } else {
        claim_any_step(real, model);
      }
      RC_ASSERT(real.held() == model.held.size());
      RC_ASSERT(real.available() == model.available());
      auto probe = random_address(subnet);
      RC_ASSERT(real.is_held(probe) == model.held.contains(probe));
    }
  });
}

// IP-050: release a random half of a full book, claim as many again.
TEST(AddressBookProperty, GivesOutEverythingThatWasReleased) {
  check([] {
    auto [subnet, range] = random_lease();
    auto real = address_book{subnet, range};
    auto model = book_model{subnet, range.value_or(subnet)};
    auto capacity = model.available();
    for (auto round = 0; round < 3; ++round) {
      while (real.available() > 0)
        claim_any_step(real, model);
      RC_ASSERT(model.held.size() == capacity);
      claim_any_step(real, model); // Refuses.
      auto before = model.held;
      for (const auto& x : before)
        if (*rc::gen::arbitrary<bool>()) {
          real.release(x);
          model.held.erase(x);
        }
    }
  });
}

// The reason for next-fit: with n free addresses, a released one is not given
// again by the next n - 1 claims.
TEST(AddressBookProperty, ReleasedAddressIsTheLastToComeBack) {
  check([] {
    auto real = address_book{net("10.0.0.0/26"), std::nullopt};
    auto used = *rc::gen::inRange(1, 62);
    auto last = ip_address{};
    for (auto i = 0; i < used; ++i)
      last = real.claim_any()->address;
    real.release(last);
    auto free = real.available();
    for (auto i = uint64_t{1}; i < free; ++i)
      RC_ASSERT(real.claim_any()->address != last);
    RC_ASSERT(real.claim_any()->address == last);
  });
}

prefix random_subnet() {
  auto length = *rc::gen::inRange(20, 27);
  auto offset = uint128{*rc::gen::inRange(0U, 1U << 12)};
  return {net("10.0.0.0/20").at(offset), static_cast<uint8_t>(length)};
}

/// The lowest subnet of the pool that shares nothing with any in the way.
std::optional<prefix>
lowest(const predefined_pool& pool, const std::vector<prefix>& in_the_way) {
  auto step = uint128{1} << (32 - pool.length);
  for (auto i = uint128{0}; i < pool.base.size(); i += step) {
    auto candidate = prefix{pool.base.at(i), pool.length};
    auto free = true;
    for (const auto& x : in_the_way)
      free = free && !x.overlaps(candidate);
    if (free)
      return candidate;
  }
  return std::nullopt;
}

TEST(AddressSpaceProperty, NeverGivesTwoSubnetsThatOverlap) {
  check([] {
    auto pool = predefined_pool{net("10.0.0.0/20"), 24};
    auto space = address_space{"s", {pool}};
    auto leases = std::vector<pool_lease>{};
    auto steps = *rc::gen::inRange(1, 60);
    for (auto step = 0; step < steps; ++step) {
      auto kind = *rc::gen::inRange(0, 4);
      if (kind == 0 && !leases.empty()) {
        auto i = *rc::gen::inRange(size_t{0}, leases.size());
        RC_ASSERT(space.release(leases[i].id));
        leases.erase(leases.begin() + static_cast<ptrdiff_t>(i));
        continue;
      }
      auto in_the_way = std::vector<prefix>{};
      for (const auto& x : leases)
        in_the_way.push_back(x.subnet);
      if (kind == 1) {
        auto wanted = random_subnet();
        auto overlaps = false;
        for (const auto& x : in_the_way)
          overlaps = overlaps || x.overlaps(wanted);
        auto lease = space.claim(wanted, std::nullopt);
        RC_ASSERT(lease.has_value() == !overlaps);
        if (lease)
          leases.push_back(*lease);
        continue;
      }
      auto exclude = std::vector<prefix>{random_subnet(), random_subnet()};
      in_the_way.insert(in_the_way.end(), exclude.begin(), exclude.end());
      auto expected = lowest(pool, in_the_way);
      auto lease = space.claim_any(ip_family::v4, std::nullopt, exclude);
      RC_ASSERT(lease.has_value() == expected.has_value());
      if (lease) {
        RC_ASSERT(lease->subnet == *expected);
        leases.push_back(*lease);
      }
    }
  });
}

} // namespace
} // namespace troupe::ipam
