#include "troupe/actors/remote/schema.hpp"
#include "troupe/tools/troupe-remote/frames.hpp"

#include <gtest/gtest.h>

namespace troupe::tools::remote {

// For the comparisons below, which look in this namespace.
using troupe::operator==;

namespace {

question some_question() {
  auto q = question{};
  q.kind = "call";
  q.number = 7;
  q.sequence = UINT64_MAX;
  q.answered = {1, 2};
  q.deadline_ms = 5;
  q.method = "POST";
  q.target = "/v1/networks";
  q.body = R"({"spec":{"name":"a"}})";
  return q;
}

} // namespace

TEST(Frames, QuestionsAndAnswersSurviveInAnyPieces) {
  auto text = encode(some_question()) + encode(some_question());
  auto frames = frame_reader{max_question_bytes};
  auto count = 0;
  for (auto c : text) {
    frames.feed({&c, 1});
    auto x = frames.next();
    ASSERT_TRUE(x);
    if (!*x)
      continue;
    ++count;
    auto q = decode_question(**x);
    ASSERT_TRUE(q) << q.error().message;
    EXPECT_EQ(*q, some_question());
  }
  EXPECT_EQ(count, 2);
  auto y = answer{3, 201, "{\"a\":\"\xc3\xa4\"}"};
  EXPECT_EQ(*decode_answer(encode(y).substr(4)), y);
}

TEST(Frames, ALengthOverTheLimitEndsTheStream) {
  auto frames = frame_reader{10};
  frames.feed(std::string("\x0b\x00\x00\x00", 4));
  EXPECT_EQ(frames.next().error().code, ec::invalid_argument);
  auto other = frame_reader{max_question_bytes};
  other.feed("\xff\xff\xff\xff");
  EXPECT_FALSE(other.next());
}

TEST(Frames, NonsenseIsRefused) {
  for (const auto* text : {"", "{", "[]", "null", R"({"number":-1})",
                           R"({"nummer":1})", R"({"kind":7})"})
    EXPECT_EQ(decode_question(text).error().code, ec::invalid_argument) << text;
}

TEST(Schema, TellsWhetherBothSidesReadTheSameFields) {
  namespace wire = troupe::remote;
  auto text = wire::schema_text();
  EXPECT_NE(text.find("subnet:"), std::string::npos) << text;
  EXPECT_EQ(wire::schema().size(), 16U);
  EXPECT_EQ(wire::schema(), wire::digest(text));
  EXPECT_NE(wire::digest(text), wire::digest(text + "x"));
}

} // namespace troupe::tools::remote
