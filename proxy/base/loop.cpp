// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/loop.h"

#include <netdb.h>
#include <netinet/in.h>
#include <uv.h>

#include <cstring>
#include <deque>

#include "proxy/base/check.h"

namespace ptygate::base {

namespace {
// libuv keeps pointers to a handle until its close callback ran, so every handle lives in a heap State that frees itself there.
template <class State>
void closeAndFree(State* state) {
  state->fn = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&state->handle), [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}
}  // namespace

struct Timer::State {
  uv_timer_t handle{};
  std::function<void()> fn;
};

Timer::Timer(Loop& loop) : state_(new State) {
  CHECK(uv_timer_init(loop.raw(), &state_->handle) == 0);
  state_->handle.data = state_;
}
Timer::Timer(Timer&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Timer& Timer::operator=(Timer&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Timer::~Timer() {
  if (state_ != nullptr) closeAndFree(state_);
}
void Timer::start(std::chrono::milliseconds delay, std::function<void()> fn) {
  CHECK(state_ != nullptr);
  state_->fn = std::move(fn);
  // uv_timer_start counts from the loop's cached time, which is old after a long callback.
  uv_update_time(state_->handle.loop);
  uv_timer_start(
      &state_->handle,
      [](uv_timer_t* handle) {
        auto* state = static_cast<State*>(handle->data);
        auto run = std::move(state->fn);  // the callback may start the timer again, or destroy it
        state->fn = nullptr;
        if (run) run();
      },
      std::uint64_t(std::max<std::int64_t>(0, delay.count())), 0);
}
void Timer::stop() {
  if (state_ == nullptr) return;
  uv_timer_stop(&state_->handle);
  state_->fn = nullptr;
}
bool Timer::isActive() const { return state_ != nullptr && uv_is_active(reinterpret_cast<const uv_handle_t*>(&state_->handle)) != 0; }

struct Poll::State {
  uv_poll_t handle{};
  Poll::Fn fn;
  int events = 0;
  bool closed = false;
};

Poll::Poll(Loop& loop, int fd, Fn fn) : state_(new State) {
  CHECK(uv_poll_init(loop.raw(), &state_->handle, fd) == 0);
  state_->handle.data = state_;
  state_->fn = std::move(fn);
}
Poll::Poll(Poll&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Poll& Poll::operator=(Poll&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Poll::~Poll() {
  if (state_ == nullptr) return;
  uv_poll_stop(&state_->handle);
  // The function object may be the one that is running: it is destroyed with the state, after the callback returned.
  state_->closed = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}
void Poll::want(bool readable, bool writable) {
  if (state_ == nullptr) return;
  int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  // uv_poll_start takes the descriptor out of epoll and adds it again: two system calls that most progress steps do not need.
  if (events == state_->events) return;
  state_->events = events;
  if (events == 0) {
    uv_poll_stop(&state_->handle);
    return;
  }
  uv_poll_start(&state_->handle, events, [](uv_poll_t* handle, int status, int ready) {
    auto* state = static_cast<State*>(handle->data);
    if (state->closed) return;
    const bool broken = status < 0;
    state->fn(broken || (ready & (UV_READABLE | UV_DISCONNECT)) != 0, broken || (ready & UV_WRITABLE) != 0);
  });
}

struct Loop::Deferred {
  uv_idle_t handle{};
  std::deque<std::function<void()>> queue;
  std::function<void()> fn;  // for closeAndFree
};

struct Loop::SignalState {
  uv_signal_t handle{};
  std::function<void()> fn;
};

Loop::Loop() : loop_(std::make_unique<uv_loop_t>()), deferred_(new Deferred) {
  CHECK(uv_loop_init(loop_.get()) == 0);
  CHECK(uv_idle_init(loop_.get(), &deferred_->handle) == 0);
  deferred_->handle.data = deferred_;
}

Loop::~Loop() {
  deferred_->queue.clear();
  closeAndFree(deferred_);
  for (SignalState* signal : signals_) closeAndFree(signal);
  uv_run(loop_.get(), UV_RUN_DEFAULT);
  uv_loop_close(loop_.get());
}

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }
void Loop::stop() { uv_stop(loop_.get()); }

void Loop::defer(std::function<void()> fn) {
  deferred_->queue.push_back(std::move(fn));
  uv_idle_start(&deferred_->handle, [](uv_idle_t* handle) {
    auto* deferred = static_cast<Deferred*>(handle->data);
    std::deque<std::function<void()>> batch;
    batch.swap(deferred->queue);
    for (auto& run : batch) run();
    if (deferred->queue.empty()) uv_idle_stop(handle);
  });
}

void Loop::inPool(std::function<void()> work, std::function<void()> done) {
  struct Job {
    uv_work_t request{};
    std::function<void()> work, done;
  };
  auto* job = new Job{{}, std::move(work), std::move(done)};
  job->request.data = job;
  CHECK(uv_queue_work(
            loop_.get(), &job->request, [](uv_work_t* request) { static_cast<Job*>(request->data)->work(); },
            [](uv_work_t* request, int) {
              std::unique_ptr<Job> finished(static_cast<Job*>(request->data));
              finished->done();
            }) == 0);
}

void Loop::resolve(const std::string& host, const std::string& port,
                   std::function<void(tl::expected<std::vector<SocketAddress>, std::string>)> done) {
  struct Query {
    uv_getaddrinfo_t request{};
    std::function<void(tl::expected<std::vector<SocketAddress>, std::string>)> done;
  };
  auto* query = new Query{{}, std::move(done)};
  query->request.data = query;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  int rc = uv_getaddrinfo(
      loop_.get(), &query->request,
      [](uv_getaddrinfo_t* request, int status, addrinfo* result) {
        std::unique_ptr<Query> finished(static_cast<Query*>(request->data));
        if (status < 0) {
          finished->done(tl::make_unexpected(std::string(uv_strerror(status))));
          return;
        }
        std::vector<SocketAddress> addresses;
        for (addrinfo* entry = result; entry != nullptr; entry = entry->ai_next) {
          SocketAddress address;
          std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
          address.length = entry->ai_addrlen;
          addresses.push_back(address);
        }
        uv_freeaddrinfo(result);
        finished->done(std::move(addresses));
      },
      host.c_str(), port.c_str(), &hints);
  if (rc < 0) {
    std::unique_ptr<Query> failed(query);
    failed->done(tl::make_unexpected(std::string(uv_strerror(rc))));
  }
}

void Loop::onSignal(int signum, std::function<void()> fn) {
  auto* state = new SignalState;
  state->fn = std::move(fn);
  CHECK(uv_signal_init(loop_.get(), &state->handle) == 0);
  state->handle.data = state;
  uv_signal_start(
      &state->handle, [](uv_signal_t* handle, int) { static_cast<SignalState*>(handle->data)->fn(); }, signum);
  uv_unref(reinterpret_cast<uv_handle_t*>(&state->handle));
  signals_.push_back(state);
}

SteadyTime Loop::now() const { return std::chrono::steady_clock::now(); }

std::string SocketAddress::text() const {
  char host[NI_MAXHOST] = "?";
  char port[NI_MAXSERV] = "?";
  getnameinfo(reinterpret_cast<const sockaddr*>(&storage), length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  return storage.ss_family == AF_INET6 ? "[" + std::string(host) + "]:" + port : std::string(host) + ":" + port;
}

}  // namespace ptygate::base
