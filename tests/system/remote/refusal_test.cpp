// Who is not let in, and when the process does not even start.

#include "troupe/actors/remote/tcp.hpp"
#include "troupe/actors/remote/uri.hpp"
#include "troupe/tests/system/remote/fixture.hpp"
#include "troupe/tests/system/remote/raw_peer.hpp"

#include <atomic>
#include <fstream>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

class RemoteRefusal : public remote_test {
protected:
  // A client's error, which must come soon and say why.
  void expect_no_way(const credentials& who, const std::string& says,
                     const std::string& host = "127.0.0.1") {
    auto x = controller::connect("caf+tls://" + host, who);
    auto begin = std::chrono::steady_clock::now();
    auto why = x ? error{} : x.error();
    if (x) {
      x->set_deadline(10s);
      auto status = x->status();
      ASSERT_FALSE(status);
      why = status.error();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    EXPECT_NE(why.message.find(says), std::string::npos) << why.message;
    EXPECT_FALSE(why.hint.empty());
  }

  void expect_unharmed() {
    EXPECT_TRUE(connect().status());
    EXPECT_LT(slowest_local_request(), 1s);
  }

  void
  expect_no_start(std::vector<std::string> words, const std::string& says) {
    auto ran = run_remote(words);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(says), std::string::npos) << ran.err;
  }
};

} // namespace

TEST_F(RemoteRefusal, ACertificateOfAnotherAuthority) {
  // Our client checks itself first; told to trust both, it finds out there.
  auto x = files_of("stranger");
  expect_no_way(x, "do not vouch");
  x.authority = pki() + "/both.crt";
  std::ofstream{x.authority} << read_file(pki() + "/ca.crt")
                             << read_file(pki() + "/foreign/ca.crt");
  expect_no_way(x, "it does not accept our certificate");
  expect_unharmed();
}

TEST_F(RemoteRefusal, AServerOfAnotherAuthority) {
  auto x = files_of("stranger");
  x.authority = pki() + "/foreign/ca.crt";
  expect_no_way(x, "its certificate is not accepted");
  expect_unharmed();
}

TEST_F(RemoteRefusal, AServerThatIsNotTheOneMeant) {
  // The resolver takes this name for 127.0.0.1; the certificate does not.
  expect_no_way(files_of("client"), "mismatch", "127.1");
}

TEST_F(RemoteRefusal, AnExpiredCertificate) {
  expect_no_way(expired_files(), "expired on");
  // A client that does not look at its own certificate.
  auto late = expired_files();
  auto ran = run(
    {TROUPE_STOCK_PEER, "status", late.certificate, late.key, late.authority},
    {}, 20s);
  EXPECT_EQ(ran.out, "not connected\n") << ran.err;
  EXPECT_TRUE(eventually([&] {
    return remote_log().find("certificate has expired") != std::string::npos;
  }))
    << remote_log();
  expect_unharmed();
}

TEST_F(RemoteRefusal, NoCertificateAtAll) {
  // It must not go away before it is told.
  auto ran = run({"sh", "-c",
                  "sleep 2 | timeout 10 openssl s_client -connect "
                  "127.0.0.1:7433 -CAfile "
                    + pki() + "/ca.crt"},
                 {}, 20s);
  EXPECT_NE((ran.out + ran.err).find("certificate required"), std::string::npos)
    << ran.out << ran.err;
  expect_unharmed();
}

TEST_F(RemoteRefusal, AnOldVersionOfTls) {
  auto files = files_of("client");
  auto ran = run({"timeout", "10", "openssl", "s_client", "-connect",
                  "127.0.0.1:7433", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0",
                  "-cert", files.certificate, "-key", files.key},
                 {}, 20s);
  EXPECT_NE(ran.code, 0) << ran.out;
  expect_unharmed();
}

TEST_F(RemoteRefusal, PlainTcp) {
  auto x = raw_peer{};
  ASSERT_TRUE(x.is_connected());
  x.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(x.is_closed_within(2s));
  auto y = raw_peer{};
  y.send(encode({.operation = 1}));
  EXPECT_TRUE(y.is_closed_within(2s));
  expect_unharmed();
}

TEST_F(RemoteRefusal, SomethingElseThatListens) {
  auto listener = remote::listen_tcp({"127.0.0.1", 7'555});
  ASSERT_TRUE(listener);
  auto talker = std::thread{[&] {
    auto x = pollfd{listener->get(), POLLIN, 0};
    ::poll(&x, 1, 5'000);
    auto client = netns::unique_fd{::accept(listener->get(), nullptr, nullptr)};
    constexpr auto text = std::string_view{"220 mail.example ready\r\n"};
    ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    x.fd = client.get();
    ::poll(&x, 1, 5'000);
  }};
  expect_no_way(files_of("client"), "it does not speak TLS", "127.0.0.1:7555");
  talker.join();
}

TEST_F(RemoteRefusal, StartsOnlyWithAllThreeFiles) {
  auto all = remote_flags();
  all[1] = "127.0.0.3";
  for (auto i : {3, 5, 7}) {
    auto words = all;
    words[static_cast<size_t>(i)] = "/nosuch";
    expect_no_start(words, "/nosuch");
    words.erase(words.begin() + i - 1, words.begin() + i + 1);
    expect_no_start(words, "none is given");
  }
  // Root's own file.
  auto words = all;
  words[5] = pki() + "/client.key";
  expect_no_start(words, "permission denied");
  words = all;
  words[3] = pki() + "/client.crt";
  expect_no_start(words, "not the key");
  ::chmod((pki() + "/server.key").c_str(), 0644);
  expect_no_start(all, "everybody can read it");
  ::chmod((pki() + "/server.key").c_str(), 0600);
}

TEST_F(RemoteRefusal, DoesNotStartWithAnExpiredCertificate) {
  auto late = expired_files();
  ASSERT_EQ(::chown(late.key.c_str(), 65'534, 65'534), 0);
  auto words = remote_flags();
  words[1] = "127.0.0.3";
  words[3] = late.certificate;
  words[5] = late.key;
  expect_no_start(words, "expired on");
}

TEST_F(RemoteRefusal, DoesNotStartAsRootOrWithoutAnAddress) {
  auto words = remote_flags();
  words[1] = "127.0.0.3";
  words.insert(words.begin(), "/run/troupe-remote");
  auto ran = run(words, {}, 20s);
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("does not run as root"), std::string::npos) << ran.err;
  auto none = remote_flags();
  none.erase(none.begin(), none.begin() + 2);
  expect_no_start(none, "--listen");
}

TEST_F(RemoteRefusal, CertificatesAreReplacedWithoutARestart) {
  auto before = remote_pid();
  auto first = connect();
  EXPECT_TRUE(first.status());
  // A damaged file changes nothing.
  auto good = read_file(pki() + "/server.crt");
  std::ofstream{pki() + "/server.crt"} << "garbage";
  ::kill(remote_pid(), SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return remote_log().find("stays in use") != std::string::npos;
  }));
  EXPECT_TRUE(connect().status());
  std::ofstream{pki() + "/server.crt"} << good;
  ::kill(remote_pid(), SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return remote_log().find("reload: uses CN=") != std::string::npos;
  }));
  EXPECT_TRUE(connect().status());
  EXPECT_TRUE(first.status());
  EXPECT_EQ(remote_pid(), before);
}

TEST_F(RemoteRefusal, WhoTheNewAuthorityDoesNotVouchForIsDisconnected) {
  auto kept = connect();
  EXPECT_TRUE(kept.status());
  auto disconnected = [this] {
    return remote_log().find("not accepted any more") != std::string::npos;
  };
  // The same authority again.
  ::kill(remote_pid(), SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return remote_log().find("reload: uses CN=") != std::string::npos;
  }));
  EXPECT_TRUE(kept.status());
  EXPECT_FALSE(disconnected());
  // Another one, and a certificate of it.
  for (const auto* file : {"server.crt", "server.key", "ca.crt"}) {
    const auto text = read_file(pki() + "/foreign/" + file);
    std::ofstream{pki() + "/" + file} << text;
  }
  ::kill(remote_pid(), SIGHUP);
  EXPECT_TRUE(eventually(disconnected)) << remote_log();
  auto refused = kept.status();
  EXPECT_FALSE(refused);
}

// A program that has said nothing about SIGPIPE must not die of it: it is only
// a user of this library.
TEST_F(RemoteRefusal, AServerThatHangsUpEndsNoClient) {
  ASSERT_EQ(stop_remote(), 0);
  auto server = remote::listen_tcp({"127.0.0.1", remote::default_port});
  ASSERT_TRUE(server) << server.error().message;
  auto stopping = std::atomic<bool>{false};
  auto thread = std::thread{[&] {
    for (auto n = 0; !stopping; ++n) {
      auto polled = pollfd{server->get(), POLLIN, 0};
      (void)::poll(&polled, 1, 100);
      auto peer = netns::unique_fd{::accept(server->get(), nullptr, nullptr)};
      if (peer) // Hangs up at another moment each time.
        std::this_thread::sleep_for(std::chrono::milliseconds{n % 5});
    }
  }};
  // It died in about one of twenty attempts.
  for (auto i = 0; i < 40 && !HasFailure(); ++i) {
    auto ran = remote_troupe({"network", "ls"});
    EXPECT_GT(ran.code, 0);
    EXPECT_LT(ran.code, 128) << "killed by signal " << ran.code - 128;
  }
  stopping = true;
  thread.join();
  *server = netns::unique_fd{};
  ASSERT_EQ(start_remote(), "");
}

} // namespace troupe::test
