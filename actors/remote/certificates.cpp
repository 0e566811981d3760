#include "troupe/actors/remote/certificates.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <cerrno>
#include <ctime>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::remote {

namespace {

/// A chain of certificates has some KiB.
constexpr off_t max_file_bytes = off_t{1} << 20U;

using bio = std::unique_ptr<BIO, decltype([](BIO* x) {
                              BIO_free(x);
                            })>;

constexpr auto pki_hint = "troupe-remote init-pki DIR makes a set for a trial";

tl::unexpected<error> bad_file(const char* what, const std::string& path,
                               const std::string& why, std::string hint = {}) {
  return fail(ec::invalid_argument,
              std::string{what} + " " + quoted(path) + ": " + why,
              std::move(hint));
}

result<std::string>
read_file(const char* what, const std::string& path, bool is_secret) {
  if (path.empty())
    return fail(ec::invalid_argument, std::string{what} + ": none is given",
                pki_hint);
  auto fd = netns::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    auto why = os_failure(errno, std::string{what} + " " + quoted(path));
    why.code = ec::invalid_argument;
    why.os_error = 0;
    why.hint = pki_hint;
    return fail(std::move(why));
  }
  if (!S_ISREG(status.st_mode) || status.st_size > max_file_bytes)
    return bad_file(what, path, "not a file of at most 1 MiB");
  if (is_secret && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return bad_file(what, path, "everybody can read it", "chmod o= " + path);
  auto text = std::string(static_cast<size_t>(status.st_size), '\0');
  auto filled = size_t{0};
  while (filled < text.size()) {
    auto got = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return bad_file(what, path, "it cannot be read to its end");
    filled += static_cast<size_t>(got);
  }
  return text;
}

bio memory_of(const std::string& text) {
  return bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

result<std::vector<certificate>>
read_certificates(const char* what, const std::string& path) {
  auto text = read_file(what, path, false);
  if (!text)
    return fail(std::move(text.error()));
  ERR_clear_error();
  auto source = memory_of(*text);
  auto result = std::vector<certificate>{};
  while (auto* x = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr))
    result.emplace_back(x);
  // Where no further block begins, the file is over; anything else is damage.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return bad_file(what, path, "a damaged block: " + openssl_reason());
  ERR_clear_error();
  if (result.empty())
    return bad_file(what, path, "there is no certificate in it",
                    "it must be in PEM format");
  return result;
}

// Instead of asking on a terminal that nobody looks at.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

result<private_key> read_key(const std::string& path) {
  auto text = read_file("key", path, true);
  if (!text)
    return fail(std::move(text.error()));
  ERR_clear_error();
  auto source = memory_of(*text);
  auto key = private_key{
    PEM_read_bio_PrivateKey(source.get(), nullptr, no_passphrase, nullptr)};
  OPENSSL_cleanse(text->data(), text->size());
  if (!key && text->empty())
    return bad_file("key", path, "it is empty");
  if (!key)
    return bad_file("key", path,
                    "not a usable private key: " + openssl_reason(),
                    "it must be in PEM format, without a passphrase");
  return key;
}

std::string time_text(const ASN1_TIME* x) {
  auto parts = std::tm{};
  if (ASN1_TIME_to_tm(x, &parts) != 1)
    return "an unreadable time";
  char buffer[32];
  return {buffer, std::strftime(buffer, sizeof(buffer), "%F %T UTC", &parts)};
}

result<void> check_time(const char* what, const std::string& path, X509* x) {
  if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
    return bad_file(what, path,
                    "expired on " + time_text(X509_get0_notAfter(x)),
                    "make a new one");
  if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
    return bad_file(what, path,
                    "not valid before " + time_text(X509_get0_notBefore(x)),
                    "is the clock right?");
  return {};
}

result<void>
check_chain(const pem_files& x, const std::string& path, certificate_use use) {
  struct release {
    void operator()(X509_STORE* store) const {
      X509_STORE_free(store);
    }
    void operator()(X509_STORE_CTX* context) const {
      X509_STORE_CTX_free(context);
    }
    void operator()(STACK_OF(X509) * stack) const {
      sk_X509_free(stack);
    }
  };
  auto store = std::unique_ptr<X509_STORE, release>{X509_STORE_new()};
  auto context = std::unique_ptr<X509_STORE_CTX, release>{X509_STORE_CTX_new()};
  auto chain = std::unique_ptr<STACK_OF(X509), release>{sk_X509_new_null()};
  auto ok = store && context && chain;
  for (const auto& ca : x.authority)
    ok = ok && X509_STORE_add_cert(store.get(), ca.get()) == 1;
  for (size_t i = 1; ok && i < x.certificates.size(); ++i)
    ok = sk_X509_push(chain.get(), x.certificates[i].get()) > 0;
  if (!ok
      || X509_STORE_CTX_init(context.get(), store.get(),
                             x.certificates.front().get(), chain.get())
           != 1)
    return fail(ec::internal, "check certificate: " + openssl_reason());
  X509_STORE_CTX_set_purpose(context.get(), use == certificate_use::server
                                              ? X509_PURPOSE_SSL_SERVER
                                              : X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) == 1)
    return {};
  auto number = X509_STORE_CTX_get_error(context.get());
  return bad_file("certificate", path,
                  std::string{"the authority's certificates do not vouch for "
                              "it as a "}
                    + (use == certificate_use::server ? "server" : "client")
                    + ": " + X509_verify_cert_error_string(number),
                  "is it of another authority, or made for the other side?");
}

} // namespace

result<pem_files> read_pem_files(const credentials& files) {
  auto result = pem_files{};
  auto ours = read_certificates("certificate", files.certificate);
  if (!ours)
    return fail(std::move(ours.error()));
  auto key = read_key(files.key);
  if (!key)
    return fail(std::move(key.error()));
  auto authority = read_certificates("authority", files.authority);
  if (!authority)
    return fail(std::move(authority.error()));
  result.certificates = std::move(*ours);
  result.key = std::move(*key);
  result.authority = std::move(*authority);
  return result;
}

result<void>
check(const pem_files& x, const credentials& names, certificate_use use) {
  if (X509_check_private_key(x.certificates.front().get(), x.key.get()) != 1) {
    ERR_clear_error();
    return bad_file("key", names.key,
                    "it is not the key of " + quoted(names.certificate));
  }
  for (const auto& ours : x.certificates)
    if (auto ok = check_time("certificate", names.certificate, ours.get()); !ok)
      return ok;
  for (const auto& ca : x.authority)
    if (auto ok = check_time("authority", names.authority, ca.get()); !ok)
      return ok;
  auto checked = check_chain(x, names.certificate, use);
  ERR_clear_error();
  return checked;
}

std::string subject_of(X509* x) {
  auto out = bio{BIO_new(BIO_s_mem())};
  if (!out
      || X509_NAME_print_ex(out.get(), X509_get_subject_name(x), 0,
                            XN_FLAG_RFC2253)
           < 0)
    return {};
  char* data = nullptr;
  auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::chrono::system_clock::time_point end_of(X509* x) {
  auto parts = std::tm{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &parts) != 1)
    return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string openssl_reason() {
  const auto* text = ERR_reason_error_string(ERR_peek_last_error());
  return text != nullptr ? text : "unknown reason";
}

} // namespace troupe::remote
