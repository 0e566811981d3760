// What a well-behaved client sees: the same facade as on the daemon's own host.

#include "troupe/tests/fixtures/backend_contract.hpp"
#include "troupe/tests/system/remote/fixture.hpp"

#include <mutex>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

class Remote : public remote_test {};

} // namespace

TEST_F(Remote, TheFacadeIsTheSame) {
  auto controller = connect();
  auto status = controller.status();
  ASSERT_TRUE(status) << status.error().message;
  auto options = network_options{};
  options.enable_ipv6 = true;
  options.labels = {{"who", "remote"}};
  auto network = controller.create_network("bridge", "net", options);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(local_networks(), std::vector<std::string>{"net"});
  auto sandbox = controller.create_sandbox("box", {.hostname = "h",
                                                   .domainname = {},
                                                   .netns_path = {},
                                                   .use_host_namespace = false,
                                                   .labels = {}});
  ASSERT_TRUE(sandbox) << sandbox.error().message;
  auto endpoint = network->create_endpoint("e");
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  auto joined = endpoint->join(*sandbox);
  ASSERT_TRUE(joined) << joined.error().message;
  // Field by field the same as the local API's.
  auto local = must("GET", "/v1/networks/net/endpoints/e");
  auto info = endpoint->info();
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(to_string(info->spec.addresses.at(1)),
            local.at("spec").at("addresses").at(1));
  EXPECT_EQ(to_string(*info->spec.mac), local.at("spec").at("mac"));
  EXPECT_EQ(info->interface, local.at("interface"));
  EXPECT_EQ(to_string(*info->gateway), local.at("gateway"));
  EXPECT_EQ(network->info()->spec.labels.at("who"), "remote");
  auto port = parse_port_spec("18080:80");
  ASSERT_TRUE(port);
  auto published = endpoint->publish({*port});
  EXPECT_TRUE(published) << published.error().message;
  EXPECT_TRUE(endpoint->unpublish({*port}));
  EXPECT_EQ(controller.networks()->size(), 1U);
  EXPECT_EQ(controller.sandboxes()->size(), 1U);
  EXPECT_EQ(network->endpoints()->size(), 1U);
  EXPECT_TRUE(controller.find_network(network->id().value.substr(0, 12)));
  EXPECT_TRUE(controller.find_sandbox("box"));
  auto report = controller.doctor();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->findings.empty());
  EXPECT_TRUE(endpoint->leave());
  EXPECT_TRUE(endpoint->remove());
  EXPECT_TRUE(network->attach(*sandbox));
  EXPECT_TRUE(network->detach(*sandbox));
  EXPECT_TRUE(sandbox->remove());
  EXPECT_TRUE(network->remove());
  EXPECT_TRUE(local_networks().empty());
}

TEST_F(Remote, ErrorsAreTheDaemonsOwn) {
  auto controller = connect();
  auto missing = controller.find_network("nosuch");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ec::not_found);
  EXPECT_NE(missing.error().message.find("nosuch"), std::string::npos);
  ASSERT_TRUE(controller.create_network("bridge", "net"));
  auto taken = controller.create_network("bridge", "net");
  EXPECT_EQ(taken.error().code, ec::conflict);
  auto bad = controller.create_network("bridge", "no/name");
  EXPECT_EQ(bad.error().code, ec::invalid_argument);
}

TEST_F(Remote, EventsArriveInOrderForEverySubscriber) {
  auto controller = connect();
  auto mutex = std::mutex{};
  auto seen = std::vector<event>{};
  auto take = [&](const event& x) {
    auto guard = std::lock_guard{mutex};
    seen.push_back(x);
  };
  auto count = [&] {
    auto guard = std::lock_guard{mutex};
    return seen.size();
  };
  auto first = controller.subscribe(take);
  ASSERT_TRUE(first) << first.error().message;
  auto second = controller.subscribe(take);
  ASSERT_TRUE(second);
  create_network("a");
  create_network("b");
  EXPECT_TRUE(eventually([&] {
    return count() >= 4;
  }));
  controller.unsubscribe(*second);
  auto before = count();
  create_network("c");
  EXPECT_TRUE(eventually([&] {
    return count() > before;
  }));
  controller.unsubscribe(*first);
  auto guard = std::lock_guard{mutex};
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[0].name, "a");
  EXPECT_EQ(seen[0].action, "create");
  EXPECT_EQ(seen[0].sequence, seen[1].sequence);
  EXPECT_EQ(seen[2].sequence, seen[0].sequence + 1);
  EXPECT_EQ(seen[4].name, "c");
}

TEST_F(Remote, HandlersHarmNobody) {
  auto link = connect_backend("caf+tls://127.0.0.1", files_of("client"));
  ASSERT_TRUE(link) << link.error().message;
  handler_contract{**link}.check();
}

TEST_F(Remote, ManyClientsAndManyRequestsAtOnce) {
  auto threads = std::vector<std::thread>{};
  auto made = std::atomic<int>{0};
  for (auto i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      auto controller = connect(i % 2 == 0 ? "client" : "other");
      for (auto n = 0; n < 5; ++n)
        made += controller
                    .create_sandbox("s" + std::to_string(i) + "-"
                                    + std::to_string(n))
                    .has_value()
                  ? 1
                  : 0;
    });
  for (auto& x : threads)
    x.join();
  EXPECT_EQ(made, 20);
  auto controller = connect();
  auto answers = std::atomic<int>{0};
  for (auto i = 0; i < 50; ++i)
    controller.submit(list_sandboxes{}, [&](result<reply> x) {
      EXPECT_TRUE(x) << x.error().message;
      ++answers;
    });
  EXPECT_TRUE(eventually([&] {
    return answers == 50;
  }));
}

TEST_F(Remote, TheExampleRuns) {
  auto files = files_of("client");
  auto ran = run({TROUPE_REMOTE_EXAMPLE, "caf+tls://localhost:7433",
                  files.certificate, files.key, files.authority});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("address "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("network create remote1"), std::string::npos)
    << ran.out;
  EXPECT_TRUE(local_networks().empty());
}

TEST_F(Remote, APeerMadeOfStockPartsIsServed) {
  auto files = files_of("client");
  auto ran = run({TROUPE_STOCK_PEER, "status", files.certificate, files.key,
                  files.authority});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("welcome 0."), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("status 0."), std::string::npos) << ran.out;
}

} // namespace troupe::test
