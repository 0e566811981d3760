#include "troupe/actors/remote/certificates.hpp"
#include "troupe/actors/remote/tls.hpp"
#include "troupe/tools/troupe-remote/pki.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

namespace troupe::remote {

namespace {

namespace fs = std::filesystem;
using tools::remote::init_pki;

class Certificates : public ::testing::Test {
protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/troupe-pki-XXXXXX";
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    ASSERT_TRUE(init_pki({path("pki"), {"localhost"}, {"ci"}, 1}));
    ASSERT_TRUE(init_pki({path("other"), {"localhost"}, {"ci"}, 1}));
  }

  std::string path(const std::string& name) const {
    return dir_ + "/" + name;
  }

  credentials files(const std::string& who, const std::string& pki = "pki") {
    return {path(pki + "/" + who + ".crt"), path(pki + "/" + who + ".key"),
            path(pki + "/ca.crt")};
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream{path(name)} << text;
  }

  void
  expect_refused(const credentials& x, tls_role role, const std::string& says) {
    auto loaded = tls_identity::load(x, role);
    ASSERT_FALSE(loaded) << says;
    EXPECT_EQ(loaded.error().code, ec::invalid_argument);
    EXPECT_NE(loaded.error().message.find(says), std::string::npos)
      << loaded.error().message;
  }

  void TearDown() override {
    fs::remove_all(dir_);
  }

private:
  std::string dir_;
};

} // namespace

TEST_F(Certificates, TheTrialSetIsAccepted) {
  auto server = tls_identity::load(files("server"), tls_role::server);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(server->subject(), "CN=localhost");
  EXPECT_GT(server->expires(), std::chrono::system_clock::now());
  auto client = tls_identity::load(files("ci"), tls_role::client);
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_EQ(client->subject(), "CN=ci");
}

TEST_F(Certificates, AClientsCertificateIsNoServers) {
  expect_refused(files("ci"), tls_role::server, "as a server");
  expect_refused(files("server"), tls_role::client, "as a client");
}

TEST_F(Certificates, EachFileMustBeGivenAndReadable) {
  for (auto member : {&credentials::certificate, &credentials::key,
                      &credentials::authority}) {
    auto x = files("server");
    x.*member = "";
    expect_refused(x, tls_role::server, "none is given");
    x.*member = path("nosuch");
    expect_refused(x, tls_role::server, "nosuch");
    x.*member = path("pki");
    expect_refused(x, tls_role::server, "not a file");
    write("empty", "");
    ::chmod(path("empty").c_str(), 0600);
    x.*member = path("empty");
    expect_refused(x, tls_role::server, "empty");
    write("garbage", "-----BEGIN CERTIFICATE-----\nxx\n");
    ::chmod(path("garbage").c_str(), 0600);
    x.*member = path("garbage");
    expect_refused(x, tls_role::server, "garbage");
  }
}

TEST_F(Certificates, TheyMustBelongTogether) {
  auto x = files("server");
  x.key = path("pki/ci.key");
  expect_refused(x, tls_role::server, "not the key of");
  x = files("server");
  x.authority = path("other/ca.crt");
  expect_refused(x, tls_role::server, "do not vouch");
}

TEST_F(Certificates, AKeyForEverybodyIsNoKey) {
  ::chmod(path("pki/server.key").c_str(), 0644);
  expect_refused(files("server"), tls_role::server, "everybody can read it");
  ::chmod(path("pki/server.key").c_str(), 0640);
  EXPECT_TRUE(tls_identity::load(files("server"), tls_role::server));
}

TEST_F(Certificates, ExpiredOnesAreRefusedWithTheirDate) {
  ASSERT_TRUE(init_pki({path("pki"), {}, {"late"}, -1}));
  expect_refused(files("late"), tls_role::client, "expired on 2");
}

TEST_F(Certificates, InitPkiOverwritesNothing) {
  auto again = init_pki({path("pki"), {}, {"ci"}, 1});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ec::conflict);
  auto more = init_pki({path("pki"), {}, {"second"}, 1});
  ASSERT_TRUE(more) << more.error().message;
  EXPECT_EQ(more->size(), 2U);
  EXPECT_TRUE(tls_identity::load(files("second"), tls_role::client));
}

TEST_F(Certificates, InitPkiKeepsKeysToTheirOwner) {
  for (const auto* name : {"ca.key", "server.key", "ci.key"})
    EXPECT_EQ(fs::status(path("pki/" + std::string{name})).permissions(),
              fs::perms::owner_read | fs::perms::owner_write)
      << name;
}

TEST_F(Certificates, InitPkiRefusesNamesThatMeanSomething) {
  for (const auto* bad : {"", "a/b", "../x", "a,IP:1.2.3.4", "a b", "ca", "-x"})
    EXPECT_FALSE(init_pki({path("bad"), {"localhost"}, {bad}, 1})) << bad;
  for (const auto* bad : {"", "a,DNS:b", "a\nb", "*"})
    EXPECT_FALSE(init_pki({path("bad"), {bad}, {"ci"}, 1})) << bad;
}

} // namespace troupe::remote
