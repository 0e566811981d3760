#include "troupe/actors/core/interfaces.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tests/unit/config/random_values.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

namespace troupe::test {

namespace {

/// Writes and reads a message of random content.
template <class T>
void expect_round_trip() {
  check([] {
    auto before = draw<T>();
    auto bytes = std::vector<char>{};
    auto sink = caf::binary_serializer{nullptr, bytes};
    RC_ASSERT(!sink(before));
    auto after = T{};
    auto source = caf::binary_deserializer{nullptr, bytes};
    RC_ASSERT(!source(after));
    RC_ASSERT(source.remaining() == 0U);
    RC_ASSERT(to_json(after) == to_json(before));
  });
}

template <class T>
struct public_message : testing::Test {};

template <class... Requests, class... Replies>
testing::Types<Requests..., Replies...>
all_of(const std::variant<Requests...>*, const std::variant<Replies...>*);

using public_messages = decltype(all_of(static_cast<const request*>(nullptr),
                                        static_cast<const reply*>(nullptr)));

TYPED_TEST_SUITE(public_message, public_messages);

TYPED_TEST(public_message, SurvivesSerialisation) {
  expect_round_trip<TypeParam>();
}

TEST(PublicMessages, AreAllTested) {
  // One id more: the error code.
  EXPECT_EQ(std::variant_size_v<request> + std::variant_size_v<reply> + 1,
            caf::id_block::troupe::end - caf::id_block::troupe::begin);
}

TEST(PublicMessages, RefuseBytesThatAreNoText) {
  // A network id that is no id: 3 bytes of text in front of the rest.
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{nullptr, bytes};
  ASSERT_FALSE(sink(std::string{"abc"}));
  auto id = network_id{};
  auto source = caf::binary_deserializer{nullptr, bytes};
  EXPECT_TRUE(source(id));
}

TEST(PublicMessages, RefuseToBeCutShort) {
  auto full = create_network{};
  full.spec.name = "web";
  full.spec.options = {{"com.docker.network.driver.mtu", "1450"}};
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{nullptr, bytes};
  ASSERT_FALSE(sink(full));
  for (size_t size = 0; size < bytes.size(); ++size) {
    auto part = create_network{};
    auto source = caf::binary_deserializer{nullptr, bytes.data(), size};
    EXPECT_TRUE(source(part)) << size;
  }
}

// -- errors -------------------------------------------------------------------

TEST(Errors, SurviveCaf) {
  for (auto code :
       {ec::invalid_argument, ec::forbidden, ec::not_found, ec::timeout,
        ec::conflict, ec::unsupported, ec::unavailable, ec::internal}) {
    auto back = from_caf(to_caf(error{code, "add link: busy", "wait", 16}));
    EXPECT_EQ(back.code, code);
    EXPECT_EQ(back.message, "add link: busy");
    EXPECT_EQ(back.hint, "wait");
    EXPECT_EQ(back.os_error, 16);
  }
}

TEST(Errors, OfCafBecomeOurs) {
  auto late = from_caf(caf::make_error(caf::sec::request_timeout));
  EXPECT_EQ(late.code, ec::timeout);
  EXPECT_EQ(late.message, "wait for the reply: deadline passed");
  EXPECT_FALSE(late.hint.empty());
  EXPECT_EQ(from_caf(caf::make_error(caf::sec::request_receiver_down)).code,
            ec::unavailable);
  EXPECT_EQ(from_caf(caf::make_error(caf::sec::unexpected_message)).code,
            ec::internal);
  EXPECT_EQ(from_caf(caf::make_error(caf::exit_reason::user_shutdown)).code,
            ec::internal);
}

} // namespace

} // namespace troupe::test
