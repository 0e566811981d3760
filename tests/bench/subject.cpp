#include "subject.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include <system_error>

namespace troupe::bench {

namespace {

/// Waits for a number of answers; the first refusal ends the benchmark.
class answers {
public:
  explicit answers(size_t expected) : missing_{expected} {
  }

  void take(const result<reply>& x) {
    if (!x)
      die("detach at once: " + x.error().message);
    auto lock = std::lock_guard{mutex_};
    if (--missing_ == 0)
      all_.notify_one();
  }

  void await() {
    auto lock = std::unique_lock{mutex_};
    all_.wait(lock, [this] {
      return missing_ == 0;
    });
  }

private:
  std::mutex mutex_;
  std::condition_variable all_;
  size_t missing_;
};

} // namespace

subject::subject(std::string name, const std::string& state_base)
  : name_{std::move(name)},
    state_dir_{state_base + "/" + name_}, run_dir_{"/run/troupe-" + name_} {
  std::filesystem::create_directories(state_dir_);
  std::filesystem::create_directories(run_dir_);
}

subject::~subject() {
  network_.reset();
  api_.reset();
  daemon_.reset();
  drop_pins(run_dir_ + "/netns");
  // The next one starts from nothing.
  auto ignored = std::error_code{};
  std::filesystem::remove_all(state_dir_, ignored);
  std::filesystem::remove_all(run_dir_, ignored);
}

void subject::furnish(result<controller> api) {
  api_ = std::make_unique<controller>(must(std::move(api), "open controller"));
  auto pool = ipam_pool{};
  pool.subnet = must(prefix::parse("10.77.0.0/16"), "parse subnet");
  auto options = network_options{};
  options.pools.push_back(pool);
  network_ = std::make_unique<network>(
    must(api_->create_network("bridge", "bench", options), "create network"));
  idle_links_ = host_.links();
}

std::unique_ptr<subject> subject::embedded(const std::string& state_base) {
  auto result = std::unique_ptr<subject>{new subject{"embedded", state_base}};
  auto how = settings{};
  how.state_dir = result->state_dir_;
  how.run_dir = result->run_dir_;
  how.log_level = "warn";
  result->host_.run([&] {
    result->furnish(controller::open(how));
  });
  return result;
}

std::unique_ptr<subject> subject::behind_daemon(const std::string& state_base,
                                                const std::string& program) {
  auto result = std::unique_ptr<subject>{new subject{"daemon", state_base}};
  result->daemon_ = std::make_unique<daemon_process>(
    result->host_, program, result->state_dir_, result->run_dir_);
  result->daemon_->start();
  result->furnish(controller::connect(result->daemon_->uri()));
  return result;
}

std::pair<sandbox, clock::duration> subject::attach_one(int ports) {
  auto options = endpoint_options{};
  for (auto i = 1; i <= ports; ++i) {
    auto port = port_spec{};
    port.port = static_cast<uint16_t>(i);
    options.ports.push_back(port);
  }
  auto name = "c" + std::to_string(++made_);
  auto watch = stopwatch{};
  auto made = must(api_->create_sandbox(name), "create sandbox");
  must(network_->attach(made, {}, std::move(options)), "attach");
  return {std::move(made), watch.elapsed()};
}

samples subject::attach(int count, std::vector<sandbox>& sandboxes, int ports) {
  auto result = samples{};
  for (auto i = 0; i < count; ++i) {
    auto [made, took] = attach_one(ports);
    sandboxes.push_back(std::move(made));
    result.add(took);
  }
  return result;
}

samples subject::create_networks(int count, std::vector<network>& networks) {
  auto result = samples{};
  for (auto i = 0; i < count; ++i) {
    auto number = static_cast<int>(networks.size());
    auto text = "10." + std::to_string(100 + number / 256) + "."
                + std::to_string(number % 256) + ".0/24";
    auto pool = ipam_pool{};
    pool.subnet = must(prefix::parse(text), "parse subnet");
    auto options = network_options{};
    options.pools.push_back(pool);
    auto watch = stopwatch{};
    networks.push_back(must(
      api_->create_network("bridge", "n" + std::to_string(number), options),
      "create network"));
    result.add(watch.elapsed());
  }
  return result;
}

samples subject::publish(int count, const sandbox& where) {
  auto joined = must(network_->find_endpoint(where.name()), "find endpoint");
  auto port = port_spec{};
  port.port = 9'999;
  auto result = samples{};
  for (auto i = 0; i < count; ++i) {
    auto watch = stopwatch{};
    must(joined.publish({port}), "publish");
    result.add(watch.elapsed());
    must(joined.unpublish({port}), "unpublish");
  }
  return result;
}

endpoint_status subject::endpoint_of(const sandbox& where) {
  auto joined = must(network_->find_endpoint(where.name()), "find endpoint");
  return must(joined.info(), "inspect endpoint");
}

samples subject::attach_at_once(int count, int threads,
                                std::vector<sandbox>& sandboxes) {
  auto result = samples{};
  auto mutex = std::mutex{};
  auto work = [&](int share) {
    auto mine = std::vector<sandbox>{};
    auto took = attach(share, mine);
    auto lock = std::lock_guard{mutex};
    result.add(took);
    for (auto& x : mine)
      sandboxes.push_back(std::move(x));
  };
  auto clients = std::vector<std::thread>{};
  for (auto i = 0; i < threads; ++i)
    clients.emplace_back(work, count / threads + (i < count % threads ? 1 : 0));
  for (auto& x : clients)
    x.join();
  return result;
}

samples subject::detach(const std::vector<sandbox>& sandboxes) {
  auto result = samples{};
  for (const auto& x : sandboxes) {
    auto watch = stopwatch{};
    must(network_->detach(x), "detach");
    result.add(watch.elapsed());
  }
  return result;
}

clock::duration subject::detach_at_once(const std::vector<sandbox>& sandboxes) {
  auto replies = answers{sandboxes.size()};
  auto watch = stopwatch{};
  for (const auto& x : sandboxes)
    api_->submit(detach_sandbox{network_->id().value, x.id().value},
                 [&](result<reply> answer) {
                   replies.take(answer);
                 });
  replies.await();
  return watch.elapsed();
}

samples subject::remove(std::vector<sandbox>& sandboxes) {
  auto result = samples{};
  for (auto& x : sandboxes) {
    auto watch = stopwatch{};
    must(x.remove(), "remove sandbox");
    result.add(watch.elapsed());
  }
  sandboxes.clear();
  return result;
}

void subject::settle() {
  host_.settle(idle_links_);
}

clock::duration subject::restart() {
  daemon_->kill();
  return daemon_->start();
}

std::vector<startup_step> subject::startup() {
  return must(api_->status(), "ask for status").startup;
}

} // namespace troupe::bench
