#include "troupe/actors/remote/tls.hpp"

#include "troupe/actors/remote/certificates.hpp"

#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

namespace troupe::remote {

namespace {

/// Subjects become keys and log text; a longer one is cut.
constexpr size_t max_subject_bytes = 256;

// What is decided here for every connection: no protocol older than 1.2, both
// sides show a certificate, nothing is resumed (a resumed session would skip
// the check of expiry), nothing is negotiated again.
result<ssl_context> make_context(const pem_files& files, tls_role role) {
  auto context = ssl_context{SSL_CTX_new(
    role == tls_role::server ? TLS_server_method() : TLS_client_method())};
  auto* x = context.get();
  auto ok = x != nullptr
            && SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) == 1
            && SSL_CTX_use_certificate(x, files.certificates.front().get()) == 1
            && SSL_CTX_use_PrivateKey(x, files.key.get()) == 1;
  for (size_t i = 1; ok && i < files.certificates.size(); ++i)
    ok = SSL_CTX_add1_chain_cert(x, files.certificates[i].get()) == 1;
  for (const auto& ca : files.authority)
    ok = ok && X509_STORE_add_cert(SSL_CTX_get_cert_store(x), ca.get()) == 1
         && SSL_CTX_add_client_CA(x, ca.get()) == 1;
  if (!ok)
    return fail(ec::internal, "prepare TLS: " + openssl_reason());
  SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
  (void)SSL_CTX_set_num_tickets(x, 0);
  SSL_CTX_set_options(x, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION
                           | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE
                        | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

bool is_address(const std::string& host) {
  auto bytes = in6_addr{};
  return ::inet_pton(AF_INET, host.c_str(), &bytes) == 1
         || ::inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

bool expect_host(SSL* session, const std::string& host) {
  if (is_address(host))
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str())
           == 1;
  return SSL_set1_host(session, host.c_str()) == 1
         && SSL_set_tlsext_host_name(session, host.c_str()) == 1;
}

// Alerts are what the other side says about us, in OpenSSL's short words.
std::string words_of(unsigned long code) {
  switch (ERR_GET_REASON(code)) {
  case SSL_R_WRONG_VERSION_NUMBER:
  case SSL_R_HTTP_REQUEST:
  case SSL_R_HTTPS_PROXY_REQUEST:
    return "it does not speak TLS";
  case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    return "it shows no certificate";
  case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    return "it wants a certificate of ours";
  case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    return "it does not accept our certificate: unknown authority";
  case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    return "it does not accept our certificate: expired";
  case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
  case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
  case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    return std::string{"it does not accept our certificate: "}
           + ERR_reason_error_string(code);
  case SSL_R_UNEXPECTED_EOF_WHILE_READING:
    return "it hung up";
  default:
    break;
  }
  const auto* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown TLS error";
}

} // namespace

result<tls_identity>
tls_identity::load(const credentials& files, tls_role role) {
  auto read = read_pem_files(files);
  if (!read)
    return fail(std::move(read.error()));
  if (auto checked = check(*read, files,
                           role == tls_role::server ? certificate_use::server
                                                    : certificate_use::client);
      !checked)
    return fail(std::move(checked.error()));
  auto context = make_context(*read, role);
  if (!context)
    return fail(std::move(context.error()));
  auto result = tls_identity{std::move(*context), role};
  result.subject_ = subject_of(read->certificates.front().get());
  result.expires_ = end_of(read->certificates.front().get());
  for (const auto& ca : read->authority)
    result.expires_ = std::min(result.expires_, end_of(ca.get()));
  return result;
}

result<ssl_session>
tls_identity::open(int socket, const std::string& host) const {
  ERR_clear_error();
  auto session = ssl_session{SSL_new(context_.get())};
  auto ok = session && SSL_set_fd(session.get(), socket) == 1;
  if (ok && role_ == tls_role::client)
    ok = expect_host(session.get(), host);
  if (!ok)
    return fail(ec::internal, "prepare TLS: " + openssl_reason());
  if (role_ == tls_role::server)
    SSL_set_accept_state(session.get());
  else
    SSL_set_connect_state(session.get());
  return session;
}

bool tls_identity::accepts_peer(const SSL* session, std::string& why) const {
  ERR_clear_error();
  auto check
    = std::unique_ptr<X509_STORE_CTX, ssl_releaser<X509_STORE_CTX_free>>{
      X509_STORE_CTX_new()};
  auto* shown = SSL_get0_peer_certificate(session);
  if (shown == nullptr || !check
      || X509_STORE_CTX_init(check.get(),
                             SSL_CTX_get_cert_store(context_.get()), shown,
                             SSL_get_peer_cert_chain(session))
           != 1
      || X509_STORE_CTX_set_default(
           check.get(), role_ == tls_role::server ? "ssl_client" : "ssl_server")
           != 1) {
    why = "its certificate cannot be checked";
    return false;
  }
  if (X509_verify_cert(check.get()) == 1)
    return true;
  why = std::string{"its certificate is not accepted any more: "}
        + X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
  return false;
}

handshake continue_handshake(SSL* session, std::string& why) {
  ERR_clear_error();
  auto returned = SSL_do_handshake(session);
  if (returned == 1)
    return handshake::done;
  switch (SSL_get_error(session, returned)) {
  case SSL_ERROR_WANT_READ:
    return handshake::wants_read;
  case SSL_ERROR_WANT_WRITE:
    return handshake::wants_write;
  default:
    why = failure_text(session, returned);
    return handshake::failed;
  }
}

std::string failure_text(SSL* session, int returned) {
  auto kind = SSL_get_error(session, returned);
  auto code = ERR_peek_error();
  auto verdict = SSL_get_verify_result(session);
  if (code != 0 && verdict != X509_V_OK)
    return std::string{"its certificate is not accepted: "}
           + X509_verify_cert_error_string(verdict);
  if (code != 0)
    return words_of(code);
  if (kind == SSL_ERROR_SYSCALL && errno != 0)
    return std::strerror(errno);
  return "it hung up";
}

std::string peer_subject(SSL* session) {
  auto* x = SSL_get0_peer_certificate(session);
  auto result = x != nullptr ? subject_of(x) : std::string{};
  if (result.size() > max_subject_bytes)
    result.resize(max_subject_bytes);
  return result;
}

} // namespace troupe::remote
