#pragma once

#include "troupe/actors/api/failure_board.hpp"

#include <thread>

namespace troupe {

/// Deletes a backend. Its end waits for the threads that call handlers, so a
/// handler that lets go of the last reference leaves it to another thread.
struct delete_backend {
  template <class Backend>
  void operator()(Backend* x) const noexcept {
    if (!x->is_own_thread()) {
      delete x;
      return;
    }
    try {
      std::thread{[x] {
        delete x;
      }}.detach();
    } catch (...) {
      log_thrown("close the backend"); // It stays as it is.
    }
  }
};

} // namespace troupe
