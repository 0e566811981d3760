#include "troupe/actors/api/http_reader.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace troupe {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr auto any_length = std::numeric_limits<std::uint64_t>::max();

} // namespace

class http_reader::parser : public http::basic_parser<false> {
public:
  explicit parser(const body_sink& sink) : sink_{sink} {
    eager(true); // As much as there is, not one part of the message each time.
    body_limit(sink ? any_length : max_body_bytes);
  }

  bool is_final() const {
    return is_done() && response_.status >= 200;
  }

  http_response take() {
    return std::move(response_);
  }

  /// What the sink said, or what is wrong with the response.
  error failure(const beast::error_code& code) {
    if (sink_failure_.code != ec::none)
      return std::exchange(sink_failure_, {});
    if (code == http::error::body_limit || code == http::error::buffer_overflow)
      return {ec::internal,
              "the answer has more than " + std::to_string(max_body_bytes)
                + " bytes",
              {},
              0};
    return {ec::internal, "the answer is not HTTP: " + code.message(), {}, 0};
  }

private:
  void on_request_impl(http::verb, beast::string_view, beast::string_view, int,
                       beast::error_code&) override {
  }

  void on_response_impl(int code, beast::string_view, int,
                        beast::error_code&) override {
    response_.status = code;
  }

  void on_field_impl(http::field, beast::string_view, beast::string_view,
                     beast::error_code&) override {
  }

  void on_header_impl(beast::error_code&) override {
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         beast::error_code&) override {
  }

  std::size_t
  on_body_impl(beast::string_view bytes, beast::error_code& code) override {
    take_body({bytes.data(), bytes.size()}, code);
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, beast::string_view,
                            beast::error_code&) override {
  }

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes,
                                 beast::error_code& code) override {
    take_body({bytes.data(), bytes.size()}, code);
    return bytes.size();
  }

  void on_finish_impl(beast::error_code&) override {
  }

  void take_body(std::string_view bytes, beast::error_code& code) {
    if (sink_ && response_.status == 200) {
      if (auto taken = sink_(bytes); !taken) {
        sink_failure_ = std::move(taken.error());
        code = http::error::end_of_stream; // Any will do.
      }
    } else if (response_.body.size() + bytes.size() > max_body_bytes) {
      code = http::error::body_limit;
    } else {
      response_.body += bytes;
    }
  }

  const body_sink& sink_;
  error sink_failure_;
  http_response response_;
};

http_reader::http_reader(body_sink sink) : sink_{std::move(sink)} {
  begin();
}

http_reader::~http_reader() = default;

void http_reader::begin() {
  parser_ = std::make_unique<parser>(sink_);
}

result<void> http_reader::feed(std::string_view bytes) {
  rest_ += bytes;
  while (!rest_.empty() && !is_complete()) {
    if (parser_->is_done())
      begin(); // What came before says only that the answer is under way.
    auto code = beast::error_code{};
    auto understood = parser_->put(
      boost::asio::const_buffer{rest_.data(), rest_.size()}, code);
    rest_.erase(0, understood);
    if (code == http::error::need_more)
      return {};
    if (code)
      return fail(parser_->failure(code));
  }
  return {};
}

void http_reader::end() {
  auto code = beast::error_code{};
  if (parser_->got_some() && !parser_->is_done())
    parser_->put_eof(code);
}

bool http_reader::is_complete() const {
  return parser_->is_final();
}

bool http_reader::keeps_connection() const {
  return parser_->keep_alive() && rest_.empty();
}

http_response http_reader::take() {
  return parser_->take();
}

} // namespace troupe
