/// \file
/// What happens below us ends with status 70 and the layer's name: an abort, a wild access, a library that ends the program.
#include "commands/crash.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "ir/current_layer.h"

namespace calotype {
namespace {

TEST(CurrentLayer, NestsAndCuts) {
  EXPECT_STREQ(current_layer(), "");
  const CurrentLayer outer("outer");
  {
    const CurrentLayer inner(std::string(1000, 'x'));
    EXPECT_EQ(std::string(current_layer()), std::string(255, 'x'));
  }
  EXPECT_STREQ(current_layer(), "outer");
}

template <typename Act>
void crash_in_layer(Act act) {
  commands::install_crash_handlers();
  const CurrentLayer current("layer1.0.conv1");
  act();
}

constexpr const char* expected = "internal error: .* while compiling layer layer1\\.0\\.conv1";

TEST(CrashDeathTest, AnAbortNamesTheLayer) {
  EXPECT_EXIT(crash_in_layer([] { std::abort(); }), testing::ExitedWithCode(70), expected);
}

TEST(CrashDeathTest, AWildAccessNamesTheLayer) {
  EXPECT_EXIT(crash_in_layer([] { ::raise(SIGSEGV); }), testing::ExitedWithCode(70), expected);
}

TEST(CrashDeathTest, ALibraryThatExitsNamesTheLayer) {
  EXPECT_EXIT(crash_in_layer([] { std::exit(1); }), testing::ExitedWithCode(70), expected);
}

TEST(CrashDeathTest, AShrunkFileIsTheMachinesFault) {
  EXPECT_EXIT(crash_in_layer([] { ::raise(SIGBUS); }), testing::ExitedWithCode(4), "cut short");
}

TEST(CrashDeathTest, AnOrdinaryExitStaysOrdinary) {
  EXPECT_EXIT(
      {
        commands::install_crash_handlers();
        std::exit(3);
      },
      testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace calotype
