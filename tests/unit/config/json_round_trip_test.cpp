#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/json_text.hpp"
#include "troupe/config/settings.hpp"

#include "random_values.hpp"

namespace troupe {
namespace {

template <class T>
class JsonRoundTrip : public ::testing::Test {};

using records = ::testing::Types<
  ipam_pool, network_spec, network_status, endpoint_spec, join_spec, port_spec,
  port_binding, exposed_port, endpoint_status, sandbox_spec, sandbox_status,
  create_network, remove_network, inspect_network, list_networks, network_list,
  create_endpoint, remove_endpoint, inspect_endpoint, list_endpoints,
  endpoint_list, create_sandbox, remove_sandbox, inspect_sandbox,
  list_sandboxes, sandbox_list, join_endpoint, leave_endpoint, attach_sandbox,
  detach_sandbox, done, get_status, startup_step, daemon_status, run_doctor,
  finding, doctor_report, event, address_pool_setting, settings>;

TYPED_TEST_SUITE(JsonRoundTrip, records);

TYPED_TEST(JsonRoundTrip, ComesBackUnchanged) {
  test::check([] {
    auto x = test::draw<TypeParam>();
    auto text = dump(to_json(x));
    auto parsed = parse_json(text);
    RC_ASSERT(parsed.has_value());
    auto back = from_json<TypeParam>(*parsed);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == x);
  });
}

TYPED_TEST(JsonRoundTrip, IsTheSameDocumentWithoutOneInMemory) {
  test::check([] {
    auto x = test::draw<TypeParam>();
    auto parsed = parse_json(json_text(x));
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(*parsed == to_json(x));
  });
}

// Replaces one value somewhere in the document.
void damage(json& x) {
  auto descend = x.is_structured() && !x.empty() && *rc::gen::inRange(0, 4) > 0;
  if (descend) {
    auto i = x.begin();
    std::advance(i, *rc::gen::inRange<size_t>(0, x.size()));
    return damage(*i);
  }
  switch (*rc::gen::inRange(0, 7)) {
  case 0:
    x = nullptr;
    break;
  case 1:
    x = *rc::gen::arbitrary<int64_t>();
    break;
  case 2:
    x = test::draw<std::string>();
    break;
  case 3:
    x = json::array({1, "a", nullptr});
    break;
  case 4:
    x = json{{"a", 1}};
    break;
  case 5:
    x = 0.5;
    break;
  default:
    x = true;
    break;
  }
}

TYPED_TEST(JsonRoundTrip, IsRefusedOrReadWhenDamaged) {
  test::check([] {
    auto document = to_json(test::draw<TypeParam>());
    damage(document);
    auto policy
      = *rc::gen::element(unknown_fields::refuse, unknown_fields::ignore);
    auto value = from_json<TypeParam>(document, policy);
    if (!value) {
      RC_ASSERT(value.error().code == ec::invalid_argument);
      RC_ASSERT(!value.error().message.empty());
      return;
    }
    RC_ASSERT(from_json<TypeParam>(to_json(*value)) == *value);
  });
}

} // namespace
} // namespace troupe
