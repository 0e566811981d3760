#include "troupe/config/model/id.hpp"
#include "troupe/drivers/ipam/address_book.hpp"
#include "troupe/drivers/ipam/address_space.hpp"
#include "troupe/drivers/ipam/predefined.hpp"

#include <utility>

namespace troupe::ipam {

namespace {

/// Refuses what no address space could give.
result<void> check(const pool_request& request) {
  if (!request.range)
    return {};
  auto operation = "claim range " + to_string(*request.range) + ": ";
  if (!request.subnet)
    return fail(ec::invalid_argument, operation + "no subnet given",
                "pass --subnet as well");
  if (request.range->family() != request.subnet->family())
    return fail(ec::invalid_argument, operation
                                        + "not of the same family as subnet "
                                        + to_string(*request.subnet));
  if (!request.subnet->contains(*request.range))
    return fail(ec::invalid_argument,
                operation + "outside of subnet " + to_string(*request.subnet));
  return {};
}

class default_driver final : public driver {
public:
  default_driver(address_space local, address_space global)
    : local_{std::move(local)}, global_{std::move(global)} {
  }

  std::string_view name() const override {
    return "default";
  }

  result<pool_lease> request_pool(const pool_request& request) override {
    if (auto checked = check(request); !checked)
      return fail(std::move(checked.error()));
    auto* space = find(request.space);
    if (!space)
      return fail(ec::invalid_argument,
                  "claim subnet: unknown address space "
                    + quoted(request.space),
                  "known are LocalDefault and GlobalDefault");
    const auto& subnet = request.subnet;
    if (!subnet) {
      auto family = request.ipv6 ? ip_family::v6 : ip_family::v4;
      return space->claim_any(family, std::nullopt, request.exclude);
    }
    if (!subnet->address().is_unspecified())
      return space->claim(*subnet, request.range);
    if (request.range)
      return fail(ec::invalid_argument,
                  "claim range " + to_string(*request.range) + ": subnet "
                    + to_string(*subnet) + " stands for any of its length",
                  "name a subnet, or leave out the range");
    return space->claim_any(subnet->family(), subnet->length(),
                            request.exclude);
  }

  result<void> release_pool(const std::string& id) override {
    if (local_.release(id) || global_.release(id))
      return {};
    return fail(ec::not_found,
                "release subnet " + quoted(id) + ": no such lease");
  }

  std::unique_ptr<address_pool> open(const pool_lease& lease) const override {
    return std::make_unique<address_book>(lease.subnet, lease.range);
  }

private:
  address_space* find(std::string_view name) {
    if (name == "LocalDefault")
      return &local_;
    if (name == "GlobalDefault")
      return &global_;
    return nullptr;
  }

  address_space local_;
  address_space global_;
};

bool has_family(const std::vector<predefined_pool>& xs, ip_family family) {
  for (const auto& x : xs)
    if (x.base.family() == family)
      return true;
  return false;
}

} // namespace

result<std::unique_ptr<driver>>
make_default(std::vector<predefined_pool> local, std::string_view ula_seed) {
  if (!has_family(local, ip_family::v4))
    for (const auto& x : default_local_pools())
      local.push_back(x);
  if (!has_family(local, ip_family::v6))
    local.push_back(ula_pool(ula_seed));
  auto pools = normalised(std::move(local));
  if (!pools)
    return fail(std::move(pools.error()));
  return std::make_unique<default_driver>(
    address_space{"LocalDefault", std::move(*pools)},
    address_space{"GlobalDefault", default_global_pools()});
}

} // namespace troupe::ipam
