#include "troupe/persistence/page_check.hpp"

#include "troupe/persistence/file.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

// The file format of LMDB 0.9 ("data version 1"), as its mdb.c has it. A page
// number is a size_t, so the layout follows the machine, as LMDB's does.
constexpr uint32_t magic = 0xBEEFC0DE;
constexpr uint32_t data_version = 1;
constexpr uint16_t branch_page = 0x01;
constexpr uint16_t leaf_page = 0x02;
constexpr uint16_t root_page = 0x08;
constexpr size_t no_page = ~size_t{0};
constexpr int max_depth = 32; // LMDB's own limit.

struct page_header {
  size_t number;
  uint16_t pad;
  uint16_t flags;
  uint16_t lower; ///< End of the array of node offsets.
  uint16_t upper;
};

struct tree {
  uint32_t page_bytes; ///< Of the whole file, in the first tree of a root.
  uint16_t flags;
  uint16_t depth;
  size_t branch_pages;
  size_t leaf_pages;
  size_t overflow_pages;
  size_t entries;
  size_t root;
};

struct root {
  page_header header;
  uint32_t magic;
  uint32_t version;
  size_t address;
  size_t map_bytes;
  tree free_pages;
  tree main;
  size_t last_page;
  size_t snapshot;
};

struct node {
  uint16_t low; ///< Low half of a branch's page number or a leaf's data size.
  uint16_t high;
  uint16_t flags; ///< For a branch the bits of the page number above 32.
  uint16_t key_bytes;
};

using bytes = std::vector<char>;

/// Copies a struct out of a page. @returns false beyond its end.
template <class T>
bool take(const bytes& page, size_t offset, T& result) {
  if (offset > page.size() || page.size() - offset < sizeof(T))
    return false;
  std::memcpy(&result, page.data() + offset, sizeof(T));
  return true;
}

bool read_at(int fd, uint64_t offset, bytes& page) {
  size_t done = 0;
  while (done < page.size()) {
    auto n = ::pread(fd, page.data() + done, page.size() - done,
                     static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool is_root(const root& x) {
  return (x.header.flags & root_page) != 0 && x.magic == magic
         && x.version == data_version
         && std::has_single_bit(x.free_pages.page_bytes)
         && x.free_pages.page_bytes >= 512 && x.free_pages.page_bytes <= 65'536;
}

/// Finds the last node of a page.
bool last_node(const bytes& page, size_t number, page_header& header,
               size_t& offset) {
  if (!take(page, 0, header) || header.number != number
      || header.lower <= sizeof(page_header) || header.lower > page.size())
    return false;
  uint16_t found = 0;
  if (!take(page, header.lower - sizeof(uint16_t), found))
    return false;
  offset = found;
  return true;
}

/// The greatest key in the tree of free pages: the number of the transaction
/// that freed pages last.
bool last_freeing(int fd, const root& from, size_t& result) {
  auto page = bytes(from.free_pages.page_bytes);
  auto number = from.free_pages.root;
  for (int depth = 0; depth < max_depth; ++depth) {
    auto header = page_header{};
    auto found = node{};
    size_t offset = 0;
    if (number > from.last_page || !read_at(fd, number * page.size(), page)
        || !last_node(page, number, header, offset)
        || !take(page, offset, found))
      return false;
    if ((header.flags & leaf_page) != 0)
      return found.key_bytes == sizeof(size_t)
             && take(page, offset + sizeof(node), result);
    if ((header.flags & branch_page) == 0)
      return false;
    number = found.low | static_cast<size_t>(found.high) << 16U
             | static_cast<size_t>(found.flags) << 32U;
  }
  return false;
}

/// Every commit but the very first one frees the pages it replaces and files
/// them under its own number, which thereby confirms the root's number.
bool has_own_number(int fd, const root& x) {
  if (x.free_pages.root == no_page)
    return x.snapshot <= 1;
  size_t freed_by = 0;
  return last_freeing(fd, x, freed_by) && freed_by == x.snapshot;
}

std::optional<std::string> check_roots(int fd, uint64_t file_bytes) {
  auto page = bytes(sizeof(root));
  auto roots = std::array<root, 2>{};
  if (!read_at(fd, 0, page) || !take(page, 0, roots[0]) || !is_root(roots[0]))
    return "the first root page is damaged";
  auto page_bytes = roots[0].free_pages.page_bytes;
  if (!read_at(fd, page_bytes, page) || !take(page, 0, roots[1])
      || !is_root(roots[1]) || roots[1].free_pages.page_bytes != page_bytes)
    return "the second root page is damaged";
  auto newest = roots[0].snapshot < roots[1].snapshot ? size_t{1} : size_t{0};
  if (roots[newest].snapshot - roots[1 - newest].snapshot > 1
      || (roots[newest].snapshot & 1U) != newest)
    return "the root pages do not belong together";
  if (roots[newest].last_page >= file_bytes / page_bytes)
    return "the file is cut short";
  for (const auto& x : roots)
    if (!has_own_number(fd, x))
      return "a root page has a wrong number";
  return std::nullopt;
}

} // namespace

result<std::optional<std::string>> check_pages(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return fail(os_failure(errno, "open " + path));
  struct stat info = {};
  if (::fstat(fd.value(), &info) != 0)
    return fail(os_failure(errno, "inspect " + path));
  if (!S_ISREG(info.st_mode))
    return fail(ec::forbidden, "open " + path + ": not a regular file");
  if (info.st_size == 0)
    return std::optional<std::string>{"the file is empty"};
  return check_roots(fd.value(), static_cast<uint64_t>(info.st_size));
}

} // namespace troupe::persistence
