#include "troupe/tools/trouped/metrics.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

template <class Number>
std::string single(std::string_view name, std::string_view type,
                   std::string_view help, Number value) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help,
                     type, value);
}

// Quotes, backslashes and line ends would break the format.
std::string label_value(std::string_view text) {
  auto result = std::string{};
  for (auto c : text)
    if (c != '"' && c != '\\' && static_cast<unsigned char>(c) >= ' ')
      result += c;
  return result;
}

uint64_t resident_bytes() {
  auto total_pages = uint64_t{0};
  auto resident_pages = uint64_t{0};
  auto file = std::ifstream{"/proc/self/statm"};
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

int64_t open_descriptors() {
  auto failure = std::error_code{};
  auto files = std::filesystem::directory_iterator{"/proc/self/fd", failure};
  if (failure)
    return 0;
  // One of them is the descriptor that reads the directory.
  return std::distance(begin(files), end(files)) - 1;
}

double cpu_seconds() {
  auto usage = rusage{};
  (void)getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& x) {
    return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

} // namespace

void request_metrics::count(std::string_view operation, int status,
                            std::chrono::nanoseconds duration) {
  auto us
    = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  auto guard = std::lock_guard{mutex_};
  ++statuses_[{operation, status}];
  auto& seen = durations_[operation];
  ++seen.count;
  seen.sum_seconds += static_cast<double>(us) / 1e6;
  for (size_t i = 0; i < bounds_us.size(); ++i)
    if (us <= bounds_us[i])
      ++seen.buckets[i];
}

std::string request_metrics::text() const {
  auto guard = std::lock_guard{mutex_};
  auto result = std::string{"# HELP troupe_requests_total Requests answered.\n"
                            "# TYPE troupe_requests_total counter\n"};
  auto out = std::back_inserter(result);
  for (const auto& [key, number] : statuses_)
    fmt::format_to(
      out, "troupe_requests_total{{operation=\"{}\",status=\"{}\"}} {}\n",
      key.first, key.second, number);
  result += "# HELP troupe_request_seconds From the request's last byte to "
            "the reply.\n# TYPE troupe_request_seconds histogram\n";
  constexpr auto name = std::string_view{"troupe_request_seconds"};
  for (const auto& [operation, seen] : durations_) {
    for (size_t i = 0; i < bounds_us.size(); ++i)
      fmt::format_to(out, "{}_bucket{{operation=\"{}\",le=\"{}\"}} {}\n", name,
                     operation, static_cast<double>(bounds_us[i]) / 1e6,
                     seen.buckets[i]);
    fmt::format_to(out, "{}_bucket{{operation=\"{}\",le=\"+Inf\"}} {}\n", name,
                   operation, seen.count);
    fmt::format_to(out, "{}_sum{{operation=\"{}\"}} {}\n", name, operation,
                   seen.sum_seconds);
    fmt::format_to(out, "{}_count{{operation=\"{}\"}} {}\n", name, operation,
                   seen.count);
  }
  return result;
}

std::string gauges_text(const server_gauges& x) {
  return single("troupe_requests_in_work", "gauge", "Requests in work.",
                x.requests)
         + single("troupe_connections", "gauge", "Connections to the API.",
                  x.connections)
         + single("troupe_event_streams", "gauge", "Readers of events.",
                  x.streams);
}

std::string status_text(const daemon_status& x) {
  return fmt::format("# HELP troupe_info What runs.\n# TYPE troupe_info gauge\n"
                     "troupe_info{{version=\"{}\"}} 1\n",
                     label_value(x.version))
         + single("troupe_networks", "gauge", "Networks.", x.networks)
         + single("troupe_endpoints", "gauge", "Endpoints.", x.endpoints)
         + single("troupe_sandboxes", "gauge", "Sandboxes.", x.sandboxes)
         + single("troupe_generation", "gauge", "Starts on this state.",
                  x.generation)
         + single("troupe_warnings", "gauge", "Things that are degraded.",
                  x.warnings.size());
}

std::string faults_text(const live_faults::counters& x) {
  return single("troupe_faults_armed", "gauge",
                "Injected faults that can still strike.", x.armed)
         + single("troupe_faults_injected_total", "counter",
                  "Times that an injected fault has struck.", x.hits);
}

std::string process_text() {
  return single("process_resident_memory_bytes", "gauge", "Resident memory.",
                resident_bytes())
         + single("process_open_fds", "gauge", "Open file descriptors.",
                  open_descriptors())
         + single("process_cpu_seconds_total", "counter",
                  "Processor time, user and system.", cpu_seconds());
}

} // namespace troupe::tools
