#include "troupe/config/model/id.hpp"
#include "troupe/drivers/ipam/driver.hpp"

namespace troupe::ipam {

namespace {

constexpr std::string_view the_lease = "null/0.0.0.0/0";

/// Has nothing to give.
class null_pool final : public address_pool {
public:
  result<interface_address> claim(const ip_address& wanted) override {
    return fail(ec::invalid_argument, "claim address " + to_string(wanted)
                                        + ": the null IPAM driver has none");
  }

  result<interface_address> claim_any() override {
    return fail(ec::unavailable,
                "claim address: the null IPAM driver has none");
  }

  void release(const ip_address&) override {
    // Nothing is ever held.
  }

  bool is_held(const ip_address&) const override {
    return false;
  }

  uint64_t held() const override {
    return 0;
  }

  uint64_t available() const override {
    return 0;
  }
};

class null_driver final : public driver {
public:
  std::string_view name() const override {
    return "null";
  }

  result<pool_lease> request_pool(const pool_request& request) override {
    auto refuse = [](const std::string& wish) {
      return fail(ec::invalid_argument,
                  "claim " + wish + ": the null IPAM driver has none",
                  "leave it out, or use the default IPAM driver");
    };
    if (request.subnet)
      return refuse("subnet " + to_string(*request.subnet));
    if (request.range)
      return refuse("range " + to_string(*request.range));
    if (request.ipv6)
      return refuse("an IPv6 subnet");
    return pool_lease{std::string{the_lease}, prefix{}, std::nullopt};
  }

  result<void> release_pool(const std::string& id) override {
    if (id != the_lease)
      return fail(ec::not_found,
                  "release subnet " + quoted(id) + ": no such lease");
    return {};
  }

  std::unique_ptr<address_pool> open(const pool_lease&) const override {
    return std::make_unique<null_pool>();
  }
};

} // namespace

std::unique_ptr<driver> make_null() {
  return std::make_unique<null_driver>();
}

} // namespace troupe::ipam
