#include "troupe/tests/system/doctor/town.hpp"

#include <chrono>
#include <thread>

namespace troupe::test {

void DoctorTown::SetUp() {
  Publish::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  ASSERT_EQ(shell("ip route add default via 192.0.2.2 && "
                  "ip -6 route add default via 2001:db8:ffff::2")
              .code,
            0);
  web_ = attach_web({"8080:80"});
  ASSERT_EQ(web_.size(), 2U);
  listener_ = listen_in(place{keys_["web"]}, 80);
  ASSERT_TRUE(listener_.is_open());
  auto network = must("GET", "/v1/networks/a");
  bridge_ = network.value("interface", "");
  const auto web = must("GET", "/v1/networks/a/endpoints/w");
  port_ = web.value("host_interface", "");
  auto peer_port = std::string{};
  auto peers = must("GET", "/v1/networks/a/endpoints");
  for (const auto& x : peers.at("endpoints"))
    if (x.value("sandbox_name", "") == "peer") {
      peer_port = x.value("host_interface", "");
      for (const auto& address : x.at("spec").at("addresses")) {
        auto text = without_length(address);
        (text.find(':') == std::string::npos ? peer4_ : peer6_) = text;
      }
    }
  names_ = {{"{BR}", bridge_},
            {"{PORT}", port_},
            {"{PEER}", peer_port},
            {"{MAC}", web.at("spec").value("mac", "")},
            {"{WEB}", keys_["web"]},
            {"{WEB4}", to_string(web_[0])},
            {"{WEB6}", to_string(web_[1])},
            {"{PEER4}", peer4_},
            {"{PEER6}", peer6_}};
  for (const auto& pool : network.at("spec").at("pools")) {
    auto is_v4
      = pool.at("subnet").get<std::string>().find(':') == std::string::npos;
    names_.emplace_back(is_v4 ? "{NET4}" : "{NET6}", pool.at("subnet"));
    names_.emplace_back(is_v4 ? "{GW4}" : "{GW6}", pool.at("gateway"));
  }
  ASSERT_EQ(blocked_for_good(), "");
  ASSERT_EQ(doctor(), "");
}

void DoctorTown::TearDown() {
  listener_ = connection{}; // It keeps the sandbox's namespace alive.
  Publish::TearDown();
}

bool DoctorTown::pings(const std::string& from, const std::string& address) {
  auto words
    = std::vector<std::string>{"ping", "-n", "-c", "1", "-W", "1", address};
  if (!from.empty())
    words.insert(words.begin(), {"nsenter", "--net=" + from});
  return run(words).code == 0;
}

void DoctorTown::listen_anew() {
  listener_ = connection{};
  listener_ = listen_in(place{keys_["web"]}, 80);
  ASSERT_TRUE(listener_.is_open());
}

std::string DoctorTown::blocked_way() {
  struct way {
    std::string from;
    std::string to;
    const char* name;
  };
  const auto web = keys_["web"];
  const auto ways = std::vector<way>{
    {"", to_string(web_[0]), "host to web, IPv4"},
    {"", to_string(web_[1]), "host to web, IPv6"},
    {web, peer4_, "web to peer, IPv4"},
    {web, peer6_, "web to peer, IPv6"},
    {web, "192.0.2.2", "web to the street, IPv4"},
    {web, "2001:db8:ffff::2", "web to the street, IPv6"},
  };
  for (const auto& x : ways)
    if (!pings(x.from, x.to))
      return x.name;
  auto caller = connect_from(place{street_}, uplink_v4, 8080);
  if (!caller.is_open() || !listener_.accept().is_open())
    return "street to the published port";
  auto own = connect_from(place{}, "127.0.0.1", 8080);
  if (!own.is_open() || !listener_.accept().is_open())
    return "host to the published port at 127.0.0.1";
  return {};
}

std::string DoctorTown::blocked_for_good() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  auto blocked = blocked_way();
  while (!blocked.empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    blocked = blocked_way();
  }
  return blocked;
}

outcome DoctorTown::shell(std::string command) {
  for (const auto& [name, value] : names_)
    for (auto at = command.find(name); at != std::string::npos;
         at = command.find(name))
      command.replace(at, name.size(), value);
  const auto troupe = "troupe() { TROUPE_HOST=" + daemon().uri() + " "
                      + command_line_path() + " \"$@\"; }; ";
  return run({"sh", "-c", troupe + command});
}

outcome DoctorTown::ask_doctor(const std::vector<std::string>& flags) {
  auto words = std::vector<std::string>{"doctor", "--format", "json"};
  words.insert(words.end(), flags.begin(), flags.end());
  return daemon().troupe(words);
}

} // namespace troupe::test
