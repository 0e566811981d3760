#include "troupe/actors/http_client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace troupe {

namespace {

/// Transfers kept for the next request; more are closed after use.
constexpr size_t max_idle = 32;

/// No reply is larger; a list of 100 000 endpoints has about 80 MiB.
constexpr size_t max_response_bytes = size_t{1} << 28U;

void initialise_curl() {
  static const auto once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
}

template <class T>
void set(CURL* handle, CURLoption option, T value) {
  // Fails for unknown options and lack of memory only.
  (void)curl_easy_setopt(handle, option, value);
}

} // namespace

error unreachable(const std::string& socket_path, int os_error) {
  auto result = os_failure(os_error == 0 ? ECONNREFUSED : os_error,
                           "cannot reach the daemon at unix://" + socket_path);
  auto denied = os_error == EACCES || os_error == EPERM;
  result.code = denied ? ec::forbidden : ec::unavailable;
  result.hint = denied ? "become root, or a member of the socket's group"
                       : "is trouped running? See also --host and TROUPE_HOST";
  return result;
}

// -- http_transfer ------------------------------------------------------------

http_transfer::http_transfer(std::string socket_path)
  : socket_path_{std::move(socket_path)} {
  initialise_curl();
  handle_.reset(curl_easy_init());
}

void http_transfer::prepare(http_request what) {
  request_ = std::move(what);
  response_ = {};
  sent_bytes_ = 0;
  headers_.reset();
  auto* handle = handle_.get();
  curl_easy_reset(handle);
  auto url = "http://trouped" + request_.target;
  set(handle, CURLOPT_UNIX_SOCKET_PATH, socket_path_.c_str());
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_PROXY, "");
  set(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(handle, CURLOPT_WRITEFUNCTION, &http_transfer::on_write);
  set(handle, CURLOPT_WRITEDATA, this);
  if (request_.deadline.count() > 0) {
    set(handle, CURLOPT_TIMEOUT_MS, long{request_.deadline.count()});
    add_header("Troupe-Deadline-Ms: "
               + std::to_string(request_.deadline.count()));
  }
  if (request_.method != "GET")
    prepare_body();
}

// The body comes from a callback that cannot rewind: otherwise libcurl would
// silently send a request again when a kept connection breaks under it.
void http_transfer::prepare_body() {
  auto* handle = handle_.get();
  if (request_.body.empty())
    request_.body = "{}";
  set(handle, CURLOPT_POST, 1L);
  set(handle, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  set(handle, CURLOPT_POSTFIELDSIZE_LARGE,
      static_cast<curl_off_t>(request_.body.size()));
  set(handle, CURLOPT_READFUNCTION, &http_transfer::on_read);
  set(handle, CURLOPT_READDATA, this);
  add_header("Content-Type: application/json");
  add_header("Expect:");
}

void http_transfer::add_header(const std::string& line) {
  auto* longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr)
    return;
  (void)headers_.release();
  headers_.reset(longer);
  set(handle_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

bool http_transfer::append_body(std::string_view bytes) {
  if (response_.body.size() + bytes.size() > max_response_bytes)
    return false;
  response_.body += bytes;
  return true;
}

size_t
http_transfer::on_write(char* data, size_t size, size_t count, void* self) {
  auto& me = *static_cast<http_transfer*>(self);
  return me.append_body({data, size * count}) ? size * count : 0;
}

size_t
http_transfer::on_read(char* buffer, size_t size, size_t count, void* self) {
  auto& me = *static_cast<http_transfer*>(self);
  auto bytes = std::min(size * count, me.request_.body.size() - me.sent_bytes_);
  std::memcpy(buffer, me.request_.body.data() + me.sent_bytes_, bytes);
  me.sent_bytes_ += bytes;
  return bytes;
}

result<http_response> http_transfer::finish(CURLcode code) {
  if (code != CURLE_OK)
    return fail(failure(code));
  auto status = 0L;
  (void)curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

error http_transfer::failure(CURLcode code) const {
  auto request = "request " + request_.operation;
  switch (code) {
  case CURLE_COULDNT_CONNECT: {
    auto os_error = 0L;
    (void)curl_easy_getinfo(handle_.get(), CURLINFO_OS_ERRNO, &os_error);
    return unreachable(socket_path_, static_cast<int>(os_error));
  }
  case CURLE_OPERATION_TIMEDOUT:
    return {ec::timeout,
            request + ": no answer within "
              + std::to_string(request_.deadline.count()) + " ms",
            "the outcome is unknown; a longer --timeout may help", 0};
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_SEND_FAIL_REWIND:
    return {ec::unavailable,
            request + ": the daemon hung up before it answered",
            "the outcome is unknown; look before repeating", 0};
  default:
    return {ec::internal, request + ": " + curl_easy_strerror(code), {}, 0};
  }
}

// -- http_client --------------------------------------------------------------

http_client::http_client(std::string socket_path)
  : socket_path_{std::move(socket_path)} {
}

result<http_response> http_client::perform(http_request what) {
  auto transfer = take();
  transfer->prepare(std::move(what));
  auto response = transfer->finish(curl_easy_perform(transfer->handle()));
  give(std::move(transfer));
  return response;
}

std::unique_ptr<http_transfer> http_client::take() {
  auto guard = std::lock_guard{mutex_};
  if (idle_.empty())
    return std::make_unique<http_transfer>(socket_path_);
  auto result = std::move(idle_.back());
  idle_.pop_back();
  return result;
}

void http_client::give(std::unique_ptr<http_transfer> x) {
  auto guard = std::lock_guard{mutex_};
  if (idle_.size() < max_idle)
    idle_.push_back(std::move(x));
}

} // namespace troupe
