#include "troupe/tools/troupe/local_api.hpp"

#include "troupe/actors/api/http_client.hpp"
#include "troupe/actors/api/routes.hpp"

#include <string_view>
#include <utility>

namespace troupe::tools {

result<json>
ask_local(session& s, const std::string& method, const std::string& target,
          const std::string& operation, std::string body) {
  constexpr auto scheme = std::string_view{"unix://"};
  if (s.is_remote())
    return fail(ec::unsupported,
                operation + ": only on the daemon's own host, never over "
                  + s.host,
                "log in there and leave --host out");
  // Says what is wrong with another address; connects to nobody.
  if (auto link = s.link(); !link)
    return fail(std::move(link.error()));
  auto client = http_client{s.host.substr(scheme.size())};
  auto deadline = std::chrono::duration_cast<std::chrono::milliseconds>(
    std::chrono::duration<double>{s.timeout_seconds});
  auto reply = client.perform(
    {method, target, std::move(body), deadline, operation, {}});
  if (!reply)
    return fail(std::move(reply.error()));
  if (reply->status >= 300)
    return fail(api::decode_error(reply->status, reply->body));
  return parse_json(reply->body);
}

} // namespace troupe::tools
