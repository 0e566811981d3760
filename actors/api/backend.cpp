#include "troupe/actors/api/backend.hpp"

#include <future>
#include <utility>

namespace troupe {

bool is_inquiry(const request& what) {
  return std::holds_alternative<get_status>(what)
         || std::holds_alternative<run_doctor>(what);
}

result<reply> backend::call(request what, std::chrono::milliseconds deadline) {
  auto outcome = std::make_shared<std::promise<result<reply>>>();
  auto future = outcome->get_future();
  submit(std::move(what), deadline, [outcome](result<reply> x) {
    outcome->set_value(std::move(x));
  });
  return future.get();
}

} // namespace troupe
