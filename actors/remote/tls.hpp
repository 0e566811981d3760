#pragma once

// Mutual TLS of the remote interface, on OpenSSL: what both sides check before
// and during a handshake. Why not CAF's own: docs/decisions/0009.

#include "troupe/actors/api/backend.hpp"

#include <chrono>
#include <memory>
#include <openssl/ssl.h>
#include <string>

namespace troupe::remote {

/// Frees with a function of OpenSSL.
template <auto Release>
struct ssl_releaser {
  template <class T>
  void operator()(T* x) const {
    Release(x);
  }
};

using ssl_context = std::unique_ptr<SSL_CTX, ssl_releaser<SSL_CTX_free>>;
using ssl_session = std::unique_ptr<SSL, ssl_releaser<SSL_free>>;

/// Which end of a connection one is.
enum class tls_role : uint8_t { client, server };

/// A certificate with its key and the authority it trusts, read and checked.
/// The files are not needed any more.
/// @thread_safety One thread at a time.
class tls_identity {
public:
  /// Reads and checks: all three are there and readable, the key is the
  /// certificate's and nobody else can read it, nothing is expired or not yet
  /// valid, and the other side would accept the certificate in this role.
  /// Errors: `invalid_argument`, naming the file and what is wrong with it.
  static result<tls_identity> load(const credentials& files, tls_role role);

  /// One end of a new connection. @param socket connected, non-blocking, stays
  /// the caller's. @param host of a client: the name or address that the other
  /// side's certificate must have. Errors: `internal`.
  result<ssl_session> open(int socket, const std::string& host = {}) const;

  /// Would the certificate that the other side of an open connection has shown
  /// be accepted now, in its role? @param why filled if not: in words.
  bool accepts_peer(const SSL* session, std::string& why) const;

  /// Subject of the certificate, e.g. `CN=host.example`.
  const std::string& subject() const {
    return subject_;
  }

  /// When the certificate, or the first of the authority's, ends.
  std::chrono::system_clock::time_point expires() const {
    return expires_;
  }

private:
  tls_identity(ssl_context context, tls_role role)
    : context_{std::move(context)}, role_{role} {
  }

  ssl_context context_;
  tls_role role_;
  std::string subject_;
  std::chrono::system_clock::time_point expires_;
};

/// Where a handshake is.
enum class handshake : uint8_t { done, wants_read, wants_write, failed };

/// Goes on with a handshake.
/// @param why filled when it failed: in words, what was wrong.
handshake continue_handshake(SSL* session, std::string& why);

/// Why an operation of a session failed, in words. @param returned what it
/// returned.
std::string failure_text(SSL* session, int returned);

/// Subject of the other side's certificate, at most 256 bytes of RFC 2253
/// text, e.g. `CN=ci,O=example`. @pre the handshake is done.
std::string peer_subject(SSL* session);

} // namespace troupe::remote
