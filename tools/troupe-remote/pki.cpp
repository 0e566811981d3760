#include "troupe/tools/troupe-remote/pki.hpp"

#include "troupe/actors/remote/certificates.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::tools::remote {

namespace wire = troupe::remote;

namespace {

constexpr long seconds_per_day = 86'400;

// Clocks of other machines may be somewhat behind.
constexpr long backdating_s = 300;

struct issued {
  wire::certificate certificate;
  wire::private_key key;
};

tl::unexpected<error> failed(const std::string& operation) {
  return fail(ec::internal, operation + ": " + wire::openssl_reason());
}

bool is_address(const std::string& text) {
  auto bytes = std::array<char, sizeof(in6_addr)>{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1
         || ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

// Names become parts of OpenSSL's extension texts and of file names, so nothing
// that means something there may be in them.
bool is_plain(const std::string& text) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= 64 && text.front() != '.'
         && text.front() != '-' && std::ranges::all_of(text, plain);
}

bool add_extension(X509* x, X509* issuer, int kind, const std::string& value) {
  auto context = X509V3_CTX{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, x, nullptr, nullptr, 0);
  auto* made = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (made == nullptr)
    return false;
  auto ok = X509_add_ext(x, made, -1) == 1;
  X509_EXTENSION_free(made);
  return ok;
}

bool set_serial(X509* x) {
  auto bytes = std::array<unsigned char, 16>{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1)
    return false;
  bytes[0] &= 0x7FU; // A positive number.
  auto* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  auto ok = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != nullptr;
  BN_free(number);
  return ok;
}

bool set_subject(X509* x, const std::string& name) {
  auto* subject = X509_get_subject_name(x);
  return X509_NAME_add_entry_by_txt(
           subject, "CN", MBSTRING_UTF8,
           reinterpret_cast<const unsigned char*>(name.data()),
           static_cast<int>(name.size()), -1, 0)
         == 1;
}

using extension = std::pair<int, std::string>;

// @param authority null: the certificate vouches for itself.
result<issued> issue(const std::string& name, const issued* authority, int days,
                     const std::vector<extension>& extensions) {
  auto result = issued{wire::certificate{X509_new()},
                       wire::private_key{EVP_EC_gen("P-256")}};
  auto* x = result.certificate.get();
  auto* key = result.key.get();
  auto* issuer = authority != nullptr ? authority->certificate.get() : x;
  auto ok = x != nullptr && key != nullptr && X509_set_version(x, 2) == 1
            && set_serial(x) && set_subject(x, name)
            && X509_gmtime_adj(X509_getm_notBefore(x), -backdating_s) != nullptr
            && X509_gmtime_adj(X509_getm_notAfter(x), days * seconds_per_day)
                 != nullptr
            && X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1
            && X509_set_pubkey(x, key) == 1;
  for (const auto& [kind, value] : extensions)
    ok = ok && add_extension(x, issuer, kind, value);
  ok = ok
       && X509_sign(x, authority != nullptr ? authority->key.get() : key,
                    EVP_sha256())
            > 0;
  if (!ok)
    return failed("make certificate " + quoted(name));
  return result;
}

// Two authorities of one name are told apart badly, also by programs.
result<issued> issue_authority(int days) {
  auto bytes = std::array<unsigned char, 4>{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1)
    return failed("make authority");
  auto name = std::string{"Troupe trial authority "};
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  for (auto x : bytes)
    name += {digits[x >> 4U], digits[x & 15U]};
  return issue(name, nullptr, days,
               {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                {NID_key_usage, "critical,keyCertSign,cRLSign"},
                {NID_subject_key_identifier, "hash"}});
}

result<issued> issue_server(const issued& authority, const pki_plan& plan) {
  auto names = std::string{};
  for (const auto& x : plan.servers)
    names += (names.empty() ? "" : ",")
             + std::string{is_address(x) ? "IP:" : "DNS:"} + x;
  return issue(plan.servers.front(), &authority, plan.days,
               {{NID_basic_constraints, "critical,CA:FALSE"},
                {NID_key_usage, "critical,digitalSignature"},
                {NID_ext_key_usage, "serverAuth"},
                {NID_subject_alt_name, names}});
}

result<issued>
issue_client(const issued& authority, const std::string& name, int days) {
  return issue(name, &authority, days,
               {{NID_basic_constraints, "critical,CA:FALSE"},
                {NID_key_usage, "critical,digitalSignature"},
                {NID_ext_key_usage, "clientAuth"}});
}

// -- files --------------------------------------------------------------------

template <class Write>
result<void> write_file(const std::string& path, mode_t mode, Write write) {
  auto fd = netns::unique_fd{::open(
    path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!fd && errno == EEXIST)
    return fail(ec::conflict, "write " + quoted(path) + ": the file exists",
                "nothing is overwritten; remove it or use another directory");
  if (!fd)
    return fail(os_failure(errno, "write " + quoted(path)));
  auto* out = BIO_new_fd(fd.get(), BIO_NOCLOSE);
  auto ok = out != nullptr && write(out) == 1 && ::fsync(fd.get()) == 0;
  BIO_free(out);
  if (!ok)
    return failed("write " + quoted(path));
  return {};
}

result<void>
save(const issued& x, const std::string& stem, std::vector<std::string>& made) {
  // The key first: a certificate without its key would look complete.
  auto key = write_file(stem + ".key", 0600, [&](BIO* out) {
    return PEM_write_bio_PrivateKey(out, x.key.get(), nullptr, nullptr, 0,
                                    nullptr, nullptr);
  });
  if (!key)
    return key;
  made.push_back(stem + ".key");
  auto written = write_file(stem + ".crt", 0644, [&](BIO* out) {
    return PEM_write_bio_X509(out, x.certificate.get());
  });
  if (written)
    made.push_back(stem + ".crt");
  return written;
}

result<issued>
open_authority(const pki_plan& plan, std::vector<std::string>& made) {
  auto stem = plan.directory + "/ca";
  if (std::filesystem::exists(stem + ".key")) {
    auto read
      = wire::read_pem_files({stem + ".crt", stem + ".key", stem + ".crt"});
    if (!read)
      return fail(std::move(read.error()));
    return issued{std::move(read->certificates.front()), std::move(read->key)};
  }
  auto result = issue_authority(plan.days);
  if (result)
    if (auto saved = save(*result, stem, made); !saved)
      return fail(std::move(saved.error()));
  return result;
}

result<void> check_names(const pki_plan& plan) {
  for (const auto& x : plan.servers)
    if (!is_plain(x) && !is_address(x))
      return fail(ec::invalid_argument,
                  "server " + quoted(x) + ": neither a name nor an address");
  for (const auto& x : plan.clients)
    if (!is_plain(x) || x == "ca" || x == "server")
      return fail(ec::invalid_argument,
                  "client " + quoted(x) + ": not a name for a file",
                  "letters, digits, and . - _ in between");
  return {};
}

} // namespace

result<std::vector<std::string>> init_pki(const pki_plan& plan) {
  auto made = std::vector<std::string>{};
  if (auto ok = check_names(plan); !ok)
    return fail(std::move(ok.error()));
  if (::mkdir(plan.directory.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(os_failure(errno, "make directory " + quoted(plan.directory)));
  auto authority = open_authority(plan, made);
  if (!authority)
    return fail(std::move(authority.error()));
  if (!plan.servers.empty()) {
    auto server = issue_server(*authority, plan);
    if (!server)
      return fail(std::move(server.error()));
    if (auto ok = save(*server, plan.directory + "/server", made); !ok)
      return fail(std::move(ok.error()));
  }
  for (const auto& name : plan.clients) {
    auto client = issue_client(*authority, name, plan.days);
    if (!client)
      return fail(std::move(client.error()));
    if (auto ok = save(*client, plan.directory + "/" + name, made); !ok)
      return fail(std::move(ok.error()));
  }
  return made;
}

} // namespace troupe::tools::remote
