#include "troupe/actors/api/messages.hpp"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

namespace troupe {
namespace {

// Each field set to something else than its default must be seen by equality:
// a field that is missing in the table would not.
template <class T>
void expect_every_field_counts() {
  auto index = size_t{0};
  auto names = std::set<std::string_view>{};
  auto model = T{};
  for_each_field(model, [&](std::string_view name, const auto&) {
    EXPECT_TRUE(names.insert(name).second) << "twice: " << name;
    auto changed = T{};
    auto i = size_t{0};
    for_each_field(changed, [&](std::string_view, auto& member) {
      using member_type = std::decay_t<decltype(member)>;
      if (i++ != index)
        return;
      if constexpr (std::is_same_v<member_type, bool>)
        member = !member;
      else if constexpr (std::is_arithmetic_v<member_type>)
        member = static_cast<member_type>(member + 1);
      else if constexpr (std::is_enum_v<member_type>)
        member = static_cast<member_type>(1);
      else if constexpr (std::is_same_v<member_type, std::string>)
        member += "x";
      else if constexpr (requires { member.emplace(); })
        member.emplace();
      else if constexpr (requires { member.emplace_back(); })
        member.emplace_back();
      else if constexpr (requires { member["x"]; })
        member["x"];
      else if constexpr (std::is_same_v<member_type, ip_address>)
        member = ip_address::from_number(ip_family::v4, 1);
      else
        member.value += "x";
    });
    EXPECT_FALSE(changed == model) << name;
    ++index;
  });
}

TEST(FieldTable, MakesEveryFieldCountInEquality) {
  expect_every_field_counts<ipam_pool>();
  expect_every_field_counts<network_spec>();
  expect_every_field_counts<endpoint_spec>();
  expect_every_field_counts<join_spec>();
  expect_every_field_counts<port_spec>();
  expect_every_field_counts<port_binding>();
  expect_every_field_counts<exposed_port>();
  expect_every_field_counts<sandbox_spec>();
  expect_every_field_counts<finding>();
  expect_every_field_counts<event>();
  expect_every_field_counts<startup_step>();
}

// The number of members a struct has, by trying to initialise that many.
struct anything {
  template <class T>
  operator T() const {
    return T{};
  }
};

template <class T, class... Members>
constexpr size_t member_count() {
  if constexpr (requires { T{Members{}..., anything{}}; })
    return member_count<T, Members..., anything>();
  else
    return sizeof...(Members);
}

template <class T>
constexpr bool is_complete
  = member_count<T>() == std::tuple_size_v<decltype(T::fields())>;

// A member without a row would silently be lost in the store and on the wire.
static_assert(is_complete<ipam_pool>);
static_assert(is_complete<network_spec>);
static_assert(is_complete<network_status>);
static_assert(is_complete<endpoint_spec>);
static_assert(is_complete<endpoint_status>);
static_assert(is_complete<join_spec>);
static_assert(is_complete<port_spec>);
static_assert(is_complete<port_binding>);
static_assert(is_complete<exposed_port>);
static_assert(is_complete<sandbox_spec>);
static_assert(is_complete<sandbox_status>);
static_assert(is_complete<remove_network>);
static_assert(is_complete<create_endpoint>);
static_assert(is_complete<remove_endpoint>);
static_assert(is_complete<join_endpoint>);
static_assert(is_complete<leave_endpoint>);
static_assert(is_complete<attach_sandbox>);
static_assert(is_complete<detach_sandbox>);
static_assert(is_complete<startup_step>);
static_assert(is_complete<daemon_status>);
static_assert(is_complete<finding>);
static_assert(is_complete<event>);

} // namespace
} // namespace troupe
