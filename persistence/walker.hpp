#pragma once

#include <cstdint>
#include <string>

namespace troupe::persistence {

/// What the checking child leaves behind, in memory shared with its parent: it
/// is right however the child ends.
struct walk_verdict {
  enum class outcome : int {
    unknown,  ///< Killed from outside, or still at work.
    complete, ///< Everything was read.
    refused,  ///< LMDB reported an error.
    crashed,  ///< LMDB crashed, or never came to an end.
  };

  outcome how = outcome::unknown;
  int signal = 0;        ///< Of a crash.
  int os_error = 0;      ///< Of a refusal that says nothing about the file.
  uint64_t snapshot = 0; ///< LMDB's number of the snapshot that was read.
  char reason[256] = {}; ///< Of a refusal.
};

/// Kinds of frames in the stream from the child.
enum class frame_kind : uint8_t {
  table,  ///< `first`: name. The records that follow are in it.
  record, ///< `first`: key, `second`: value.
};

/// Precedes each frame's two texts.
struct frame_header {
  frame_kind kind = frame_kind::table;
  uint32_t first_bytes = 0;
  uint32_t second_bytes = 0;
};

/// Body of the checking child, to be called right after `fork`: opens the data
/// file read-only, walks every table and LMDB's own trees, streams the records
/// and exits. Crashes end up in the verdict, not in a core file.
/// @param output the pipe; every other descriptor is closed.
/// @param parent process id of the one who forked; the child dies with it.
[[noreturn]] void walk_and_exit(const std::string& path, int output, int parent,
                                walk_verdict& verdict);

} // namespace troupe::persistence
