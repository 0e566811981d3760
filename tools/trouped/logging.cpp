#include "troupe/tools/trouped/logging.hpp"

#include "troupe/tools/trouped/log_queue.hpp"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

// The priorities of syslog in the notation of sd-daemon(3).
class priority_flag : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    auto text = prefix(message.level);
    out.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<priority_flag>();
  }

private:
  static std::string_view prefix(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "<7>";
    case spdlog::level::warn:
      return "<4>";
    case spdlog::level::err:
      return "<3>";
    case spdlog::level::critical:
      return "<2>";
    default:
      return "<6>";
    }
  }
};

/// Formats on the thread that logs, writes on another.
class queue_sink : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit queue_sink(std::shared_ptr<log_queue> to) : to_{std::move(to)} {
  }

protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    auto text = spdlog::memory_buf_t{};
    formatter_->format(message, text);
    to_->push({text.data(), text.size()});
  }

  void flush_() override {
  }

private:
  std::shared_ptr<log_queue> to_;
};

std::shared_ptr<log_queue>& queue() {
  static auto result = std::shared_ptr<log_queue>{};
  return result;
}

} // namespace

void start_logging(const std::string& level) {
  queue() = log_queue::start(STDERR_FILENO);
  auto logger = std::make_shared<spdlog::logger>(
    "trouped", std::make_shared<queue_sink>(queue()));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM")))
    formatter->add_flag<priority_flag>('*').set_pattern("%*%v");
  else
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e %-5l %v");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  // The library's lines go the same way.
  spdlog::drop("troupe");
  spdlog::register_logger(logger->clone("troupe"));
  spdlog::set_default_logger(std::move(logger));
}

void end_logging(std::chrono::milliseconds longest) {
  if (queue())
    (void)queue()->flush(longest);
}

bool is_journal(int fd, const char* journal_stream) {
  struct stat found {};
  return journal_stream != nullptr && ::fstat(fd, &found) == 0
         && fmt::format("{}:{}", found.st_dev, found.st_ino) == journal_stream;
}

std::string escaped(std::string_view text) {
  auto result = std::string{};
  for (auto c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f || c == '\\')
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  return result;
}

std::string audit_line(const audit_record& x) {
  auto us
    = std::chrono::duration_cast<std::chrono::microseconds>(x.duration).count();
  auto object = x.object.empty() ? "" : " " + escaped(x.object.substr(0, 128));
  return fmt::format("audit: uid={} gid={} pid={} {} {}{} -> {} in {} us",
                     x.who.uid, x.who.gid, x.who.pid, escaped(x.method),
                     escaped(x.path.substr(0, 512)), object, x.status, us);
}

} // namespace troupe::tools
