// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/message_pipe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

#include "proxy/base/messages.h"

namespace ptygate::base {
namespace {

struct Ends {
  Fd left, right;
  Ends() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    left = Fd(pair[0]);
    right = Fd(pair[1]);
  }
};

struct Receiver {
  std::vector<std::string> frames;
  std::vector<Fd> descriptors;
  std::string ended;
};

std::unique_ptr<MessagePipe> receiving(Loop& loop, Fd socket, bool accept_descriptors, Receiver& to, std::size_t stop_after) {
  return std::make_unique<MessagePipe>(loop, std::move(socket), accept_descriptors,
                                       MessagePipe::Handler{[&, stop_after](std::string_view payload, std::vector<Fd> fds) {
                                                              to.frames.emplace_back(payload);
                                                              for (Fd& fd : fds) to.descriptors.push_back(std::move(fd));
                                                              if (to.frames.size() == stop_after) loop.stop();
                                                              return payload != "nonsense";
                                                            },
                                                            [&](const std::string& reason) {
                                                              to.ended = reason;
                                                              loop.stop();
                                                            }});
}

TEST(MessagePipe, EndsAWorkerThatSendsDescriptors) {
  Loop loop;
  Ends ends;
  Receiver keeper, worker;
  auto at_keeper = receiving(loop, std::move(ends.left), false, keeper, 0);
  auto at_worker = receiving(loop, std::move(ends.right), true, worker, 0);
  std::vector<Fd> stolen;
  stolen.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  at_worker->send("x", std::move(stolen));
  loop.run();
  EXPECT_EQ(keeper.ended, "descriptors where none are due");
  EXPECT_TRUE(keeper.frames.empty());
}

TEST(MessagePipe, EndsOnAFrameOverTheLimit) {
  Loop loop;
  Ends ends;
  Receiver keeper;
  auto at_keeper = receiving(loop, std::move(ends.left), false, keeper, 0);
  ASSERT_EQ(::send(ends.right.get(), "\x7f\xff\xff\xff\x00", 5, 0), 5);
  loop.run();
  EXPECT_EQ(keeper.ended, "frame out of bounds");
}

TEST(MessagePipe, EndsWhenAFrameMakesNoSense) {
  Loop loop;
  Ends ends;
  Receiver keeper, worker;
  auto at_keeper = receiving(loop, std::move(ends.left), false, keeper, 0);
  auto at_worker = receiving(loop, std::move(ends.right), true, worker, 0);
  at_worker->send("nonsense");
  at_worker->send("never seen");
  loop.run();
  EXPECT_EQ(keeper.frames.size(), 1U);
  EXPECT_FALSE(keeper.ended.empty());
}

TEST(MessagePipe, SaysWhenThePeerIsGone) {
  Loop loop;
  Ends ends;
  Receiver keeper;
  auto at_keeper = receiving(loop, std::move(ends.left), false, keeper, 0);
  ends.right.reset();
  loop.run();
  EXPECT_EQ(keeper.ended, "closed");
}

TEST(MessagePipe, KeepsOrderAndDescriptorsUnderALoadThatFillsTheSocket) {
  Loop loop;
  Ends ends;
  Receiver keeper, worker;
  constexpr std::size_t kFrames = 400;
  auto at_keeper = receiving(loop, std::move(ends.left), false, keeper, 0);
  auto at_worker = receiving(loop, std::move(ends.right), true, worker, kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) {
    std::vector<Fd> fds;
    if (i % 7 == 0) fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    at_keeper->send(std::string(i * 37 % 20'000, 'a') + std::to_string(i), std::move(fds));
  }
  loop.run();
  ASSERT_EQ(worker.frames.size(), kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) EXPECT_TRUE(worker.frames[i].ends_with(std::to_string(i)));
  EXPECT_EQ(worker.descriptors.size(), (kFrames + 6) / 7);
  for (const Fd& fd : worker.descriptors) EXPECT_EQ(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

}  // namespace
}  // namespace ptygate::base
