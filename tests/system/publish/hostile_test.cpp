// Whatever users write into a text field, it is refused or it is data: no rule
// changes by it.

#include "troupe/tests/system/publish/fixture.hpp"

#include <functional>

namespace troupe::test {

namespace {

using nlohmann::json;

const auto hostile_texts = std::vector<std::string>{
  "\"; flush ruleset; #", "; flush ruleset",
  "x\nflush ruleset\n",   "a } ; delete table inet sentinel ; {",
  "$(nft flush ruleset)", "'; nft flush ruleset; '"};

class HostileText : public Publish {
protected:
  void SetUp() override {
    Publish::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    ASSERT_EQ(test::run({"nft", "add", "table", "inet", "sentinel"}).code, 0);
    rules_ = rules();
    ASSERT_NE(rules_.find("sentinel"), std::string::npos);
  }

  static std::string rules() {
    return test::run({"nft", "list", "ruleset"}).out;
  }

  /// Sends the request with each of its texts replaced, one at a time. What is
  /// accepted is removed again.
  void try_all(const std::string& target, const json& body,
               const std::function<void(const json& made)>& remove) {
    auto connection = daemon().client();
    auto tried = 0;
    auto flat = body.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      if (!value.is_string())
        continue;
      for (const auto& text : hostile_texts) {
        auto sent = body;
        sent[json::json_pointer{pointer}] = text;
        auto answer = connection.send("POST", target, sent);
        ASSERT_TRUE(answer) << "no answer to " << sent.dump();
        ++tried;
        if (answer->ok())
          remove(answer->body);
        else
          EXPECT_LT(answer->status, 500) << text_of(answer);
        ASSERT_EQ(rules(), rules_) << pointer << " " << text;
      }
    }
    EXPECT_GT(tried, 0);
    auto sent = body;
    sent["spec"]["labels"]["x\nflush ruleset\n"] = "v";
    auto answer = connection.send("POST", target, sent);
    ASSERT_TRUE(answer) << "no answer to " << sent.dump();
    EXPECT_EQ(answer->status, 400) << text_of(answer);
    EXPECT_EQ(rules(), rules_);
  }

  std::string rules_;
};

/// Adds names as well: a map's keys are text that users write. But not those
/// that are refused.
json with_hostile_keys(json labels) {
  for (const auto& text : hostile_texts)
    if (text.find('\n') == std::string::npos)
      labels[text] = text;
  return labels;
}

} // namespace

TEST_F(HostileText, InNetworksIsData) {
  auto body = json{{"spec",
                    {{"name", "h"},
                     {"driver", "bridge"},
                     {"ipam_driver", "default"},
                     {"enable_ipv6", true},
                     {"labels", with_hostile_keys({{"k", "v"}})},
                     {"pools",
                      {{{"subnet", "10.77.0.0/24"},
                        {"gateway", "10.77.0.1"},
                        {"ip_range", "10.77.0.128/25"},
                        {"aux_addresses", {{"router", "10.77.0.9"}}}},
                       {{"subnet", "fd77::/64"}, {"gateway", "fd77::1"}}}},
                     {"options",
                      {{"name", "br77"},
                       {"mtu", "1400"},
                       {"icc", "true"},
                       {"iface_prefix", "eth"},
                       {"host_binding_ipv4", "127.0.0.1"},
                       {"gateway_mode_ipv4", "nat"},
                       {"gateway_mode_ipv6", "nat"},
                       {"trusted_host_interfaces", "up0"},
                       {"allowed_networks", "b"},
                       {"host_ipv4", "192.0.2.1"},
                       {"host_ipv6", "2001:db8:ffff::1"},
                       {"spoof_guard", "true"},
                       {"org.example.colour", "blue"}}}}}};
  must("POST", "/v1/networks", body); // So each text alone is what is refused.
  must("DELETE", "/v1/networks/h");
  try_all("/v1/networks", body, [this](const json& made) {
    must("DELETE",
         "/v1/networks/" + made.at("spec").at("id").get<std::string>());
  });
}

TEST_F(HostileText, InEndpointsAndPortsIsData) {
  auto body = json{
    {"sandbox", "web"},
    {"spec",
     {{"name", "h"},
      {"mac", "02:42:00:00:00:77"},
      {"labels", with_hostile_keys({{"k", "v"}})},
      {"options", {{"ifname", "eth7"}}},
      {"ports", {{{"proto", "tcp"}, {"port", 80}, {"host_ip", "127.0.0.1"}}}},
      {"exposed", {{{"proto", "udp"}, {"port", 53}}}}}}};
  auto remove = [this](const json&) {
    must("POST", "/v1/networks/a/detach", {{"sandbox", "web"}});
  };
  must("POST", "/v1/networks/a/attach", body);
  remove({});
  try_all("/v1/networks/a/attach", body, remove);
}

TEST_F(HostileText, InSandboxesIsData) {
  auto body = json{{"spec",
                    {{"name", "h"},
                     {"hostname", "h"},
                     {"netns_path", street_},
                     {"labels", with_hostile_keys({{"k", "v"}})}}}};
  auto remove = [this](const json& made) {
    must("DELETE",
         "/v1/sandboxes/" + made.at("spec").at("id").get<std::string>());
  };
  remove(must("POST", "/v1/sandboxes", body));
  try_all("/v1/sandboxes", body, remove);
}

} // namespace troupe::test
