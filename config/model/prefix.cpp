#include "troupe/config/model/address.hpp"
#include "troupe/config/model/id.hpp"

#include <cassert>
#include <charconv>
#include <cstddef>

#include <system_error>

namespace troupe {

namespace {

// The low bits that a subnet of this length leaves to its hosts.
uint128 host_mask(uint8_t bits, uint8_t length) {
  auto host_bits = static_cast<unsigned>(bits - length);
  return host_bits == 128 ? ~uint128{0} : (uint128{1} << host_bits) - 1;
}

error refused(std::string_view what, std::string_view text,
              std::string_view reason, std::string hint = {}) {
  return {ec::invalid_argument,
          "parse " + std::string{what} + " " + quoted(text) + ": "
            + std::string{reason},
          std::move(hint), 0};
}

// Decimal digits without a leading zero; 255 for anything else.
uint8_t parse_length(std::string_view digits) {
  constexpr auto bad = uint8_t{255};
  auto value = bad;
  auto [end, status]
    = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  auto whole = status == std::errc{} && end == digits.data() + digits.size();
  auto padded = digits.size() > 1 && digits[0] == '0';
  return whole && !padded ? value : bad;
}

// `address/length` with any host bits.
result<interface_address>
parse_with_length(std::string_view what, std::string_view text) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return fail(refused(what, text, "has no length",
                        "add one, e.g. 10.1.0.0/16 or fd00::/64"));
  auto address_text = text.substr(0, slash);
  auto address = ip_address::parse(address_text);
  if (!address)
    return fail(refused(what, text, "not an IPv4 or IPv6 address before \"/\"",
                        std::move(address.error().hint)));
  auto length = parse_length(text.substr(slash + 1));
  // IPv4 in IPv6's clothes: a length that counts from the wrong end is too
  // easily misread to be guessed.
  if (address->is_v4() && address_text.find(':') != std::string_view::npos)
    return fail(
      refused(what, text, "is IPv4 mapped into IPv6",
              "write the IPv4 form: " + to_string(*address) + "/<length>"));
  if (length > address->bits())
    return fail(refused(what, text,
                        "length is not a number from 0 to "
                          + std::to_string(address->bits())));
  return interface_address{*address, length};
}

} // namespace

prefix::prefix(const ip_address& address, uint8_t length)
  : address_{ip_address::from_number(
    address.family(), address.number() & ~host_mask(address.bits(), length))},
    length_{length} {
  assert(length <= address.bits());
}

result<prefix> prefix::parse(std::string_view text) {
  auto parsed = parse_with_length("subnet", text);
  if (!parsed)
    return fail(std::move(parsed.error()));
  auto result = parsed->subnet();
  if (result.address_ != parsed->address)
    return fail(
      refused("subnet", text, "host bits are set", "use " + to_string(result)));
  return result;
}

ip_address prefix::last() const {
  return ip_address::from_number(
    family(), address_.number() | host_mask(address_.bits(), length_));
}

uint128 prefix::size() const {
  // 2^128 does not fit; it wraps to 0, which stands for it.
  return host_mask(address_.bits(), length_) + 1;
}

ip_address prefix::at(uint128 n) const {
  assert(n <= host_mask(address_.bits(), length_));
  return ip_address::from_number(family(), address_.number() + n);
}

uint128 prefix::index_of(const ip_address& x) const {
  assert(contains(x));
  return x.number() - address_.number();
}

bool prefix::contains(const ip_address& x) const {
  return x.family() == family()
         && ((x.number() ^ address_.number())
             & ~host_mask(address_.bits(), length_))
              == 0;
}

bool prefix::contains(const prefix& x) const {
  return x.length_ >= length_ && contains(x.address_);
}

bool prefix::overlaps(const prefix& x) const {
  return contains(x) || x.contains(*this);
}

std::string to_string(const prefix& x) {
  return to_string(x.address()) + "/" + std::to_string(x.length());
}

result<interface_address> interface_address::parse(std::string_view text) {
  return parse_with_length("interface address", text);
}

std::string to_string(const interface_address& x) {
  return to_string(x.address) + "/" + std::to_string(x.length);
}

} // namespace troupe
