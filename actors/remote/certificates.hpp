#pragma once

// Certificate files: reading them, and saying in words what is wrong with them.

#include "troupe/actors/api/backend.hpp"

#include <chrono>
#include <memory>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string>
#include <vector>

namespace troupe::remote {

struct certificate_releaser {
  void operator()(X509* x) const {
    X509_free(x);
  }
};

struct key_releaser {
  void operator()(EVP_PKEY* x) const {
    EVP_PKEY_free(x);
  }
};

using certificate = std::unique_ptr<X509, certificate_releaser>;
using private_key = std::unique_ptr<EVP_PKEY, key_releaser>;

/// What was read from the three files of `credentials`.
struct pem_files {
  std::vector<certificate> certificates; ///< Ours first; never empty.
  private_key key;
  std::vector<certificate> authority; ///< Never empty.
};

/// Reads all three. Errors: `invalid_argument` with the file's name for a file
/// that is not given, not readable, larger than 1 MiB, holds nothing of the
/// kind, or, of the key, can be read by others or needs a passphrase.
result<pem_files> read_pem_files(const credentials& files);

/// What the other side wants to see a certificate for.
enum class certificate_use : uint8_t { client, server };

/// Is the key the certificate's, is everything valid now, would somebody who
/// trusts the authority accept the certificate for this use?
/// @param names for messages. Errors: `invalid_argument`.
result<void>
check(const pem_files& x, const credentials& names, certificate_use use);

/// RFC 2253 text, e.g. `CN=ci,O=example`.
std::string subject_of(X509* x);

/// The last instant of validity.
std::chrono::system_clock::time_point end_of(X509* x);

/// The last thing OpenSSL complained about in this thread, in its words.
std::string openssl_reason();

} // namespace troupe::remote
