#include "troupe/actors/api/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace troupe {

namespace {

std::shared_ptr<spdlog::logger> find_or_make() {
  if (auto registered = spdlog::get("troupe"))
    return registered;
  return std::make_shared<spdlog::logger>(
    "troupe", std::make_shared<spdlog::sinks::stderr_sink_mt>());
}

} // namespace

spdlog::logger& log() {
  static const auto logger = find_or_make();
  return *logger;
}

} // namespace troupe
