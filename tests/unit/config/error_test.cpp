#include "troupe/config/model/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace troupe {
namespace {

TEST(ErrorCode, HasANameThatLeadsBackToIt) {
  for (auto i = 0; i <= static_cast<int>(ec::internal); ++i) {
    auto code = static_cast<ec>(i);
    EXPECT_EQ(ec_from_string(to_string(code)), code) << to_string(code);
  }
}

TEST(ErrorCode, KeepsItsNamesBecauseClientsDependOnThem) {
  EXPECT_EQ(to_string(ec::none), "none");
  EXPECT_EQ(to_string(ec::invalid_argument), "invalid_argument");
  EXPECT_EQ(to_string(ec::forbidden), "forbidden");
  EXPECT_EQ(to_string(ec::not_found), "not_found");
  EXPECT_EQ(to_string(ec::timeout), "timeout");
  EXPECT_EQ(to_string(ec::conflict), "conflict");
  EXPECT_EQ(to_string(ec::unsupported), "unsupported");
  EXPECT_EQ(to_string(ec::unavailable), "unavailable");
  EXPECT_EQ(to_string(ec::internal), "internal");
}

TEST(ErrorCode, IsInternalForAnUnknownName) {
  EXPECT_EQ(ec_from_string("teapot"), ec::internal);
  EXPECT_EQ(ec_from_string(""), ec::internal);
  EXPECT_EQ(to_string(static_cast<ec>(200)), "internal");
}

struct errno_row {
  int number;
  ec code;
};

class OsFailure : public ::testing::TestWithParam<errno_row> {};

TEST_P(OsFailure, MapsErrnoToWhatACallerCanDo) {
  auto [number, code] = GetParam();
  auto why = os_failure(number, "add link veth1");
  EXPECT_EQ(why.code, code) << why.message;
  EXPECT_EQ(why.os_error, number);
}

INSTANTIATE_TEST_SUITE_P(
  Numbers, OsFailure,
  ::testing::Values(
    errno_row{EEXIST, ec::conflict}, errno_row{EADDRINUSE, ec::conflict},
    errno_row{ENOTUNIQ, ec::conflict}, errno_row{ENOENT, ec::not_found},
    errno_row{ENODEV, ec::not_found}, errno_row{ESRCH, ec::not_found},
    errno_row{ENXIO, ec::not_found}, errno_row{EADDRNOTAVAIL, ec::not_found},
    errno_row{EPERM, ec::forbidden}, errno_row{EACCES, ec::forbidden},
    errno_row{EROFS, ec::forbidden}, errno_row{EINVAL, ec::invalid_argument},
    errno_row{ERANGE, ec::invalid_argument},
    errno_row{ENAMETOOLONG, ec::invalid_argument},
    errno_row{EOPNOTSUPP, ec::unsupported},
    errno_row{EPROTONOSUPPORT, ec::unsupported},
    errno_row{EAFNOSUPPORT, ec::unsupported}, errno_row{EBUSY, ec::unavailable},
    errno_row{EAGAIN, ec::unavailable}, errno_row{ENOSPC, ec::unavailable},
    errno_row{ENOBUFS, ec::unavailable}, errno_row{ENOMEM, ec::unavailable},
    errno_row{EXFULL, ec::unavailable}, errno_row{EMFILE, ec::unavailable},
    errno_row{ENFILE, ec::unavailable}, errno_row{ETIMEDOUT, ec::timeout},
    errno_row{EIO, ec::internal}, errno_row{EPROTO, ec::internal},
    errno_row{0, ec::internal}));

TEST(OsFailureText, IsOperationAndReason) {
  EXPECT_EQ(os_failure(ENODEV, "del link veth1").message,
            "del link veth1: no such device");
}

TEST(OsFailureText, PutsTheKernelsOwnWordsFirst) {
  EXPECT_EQ(
    os_failure(EINVAL, "add address 10.0.0.1/8", "Invalid prefix length")
      .message,
    "add address 10.0.0.1/8: Invalid prefix length (invalid "
    "argument)");
}

TEST(OsFailureText, KeepsAbbreviationsInCapitals) {
  EXPECT_EQ(os_failure(EBADRQC, "ask").message, "ask: invalid request code");
  EXPECT_EQ(os_failure(EILSEQ, "ask").message,
            "ask: invalid or incomplete multibyte or wide character");
  EXPECT_EQ(os_failure(EL2HLT, "ask").message, "ask: level 2 halted");
  EXPECT_EQ(os_failure(ESRMNT, "ask").message, "ask: srmount error");
  EXPECT_EQ(os_failure(EREMOTEIO, "ask").message, "ask: remote I/O error");
  EXPECT_EQ(os_failure(EBADE, "ask").message, "ask: invalid exchange");
}

TEST(ErrorContext, GoesInFrontAndKeepsTheRest) {
  auto why = with_context(error{ec::conflict, "is taken", "choose", EEXIST},
                          "network web");
  EXPECT_EQ(why.message, "network web: is taken");
  EXPECT_EQ(why.code, ec::conflict);
  EXPECT_EQ(why.hint, "choose");
  EXPECT_EQ(why.os_error, EEXIST);
}

} // namespace
} // namespace troupe
