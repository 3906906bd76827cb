// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/upstreams.h"

#include <algorithm>

#include "proxy/base/log.h"

namespace ptygate::session {

namespace {
// sshd gives a client 120 s to authenticate; a leg that was dialled early is not trusted to be alive much longer than half of it.
constexpr std::chrono::seconds kReadyLife{60};
constexpr int kMaxTries = 3;
}  // namespace

// ---- UpstreamExec ----

UpstreamExec::UpstreamExec(Upstreams& pool, std::uint64_t request, std::string command, std::map<std::string, std::string> env)
    : pool_(pool), request_(request), command_(std::move(command)), env_(std::move(env)), next_env_(env_.cbegin()) {}

UpstreamExec::~UpstreamExec() { dropChannel(); }

void UpstreamExec::dropChannel() {
  if (!channel_) return;
  Upstreams::Leg* leg = pool_.find(leg_);
  if (leg != nullptr && leg->ssh) {
    channel_->close();
    leg->idle_since = pool_.loop_.now();
    leg->ssh->release(std::move(channel_));
    leg->ssh->rearm();
  } else {
    channel_->abandon();
    channel_.reset();
  }
}

void UpstreamExec::fail(std::string why) {
  state_ = State::Failed;
  failure_ = std::move(why);
}

UpstreamExec::State UpstreamExec::progress() {
  State before = state_;
  do {
    before = state_;
    step();
  } while (state_ != before);
  return state_;
}

void UpstreamExec::step() {
  if (state_ == State::Connecting) {
    Upstreams::Leg* leg = leg_ != 0 ? pool_.find(leg_) : nullptr;
    if (leg_ == 0 || leg == nullptr) {
      if (++tries_ > kMaxTries) return fail("the target could not be reached");
      leg = pool_.choose();
      if (leg == nullptr) return fail("the target refuses more channels, and the limit of connections to it is reached");
      leg_ = leg->number;
    }
    if (!leg->failure.empty()) {
      // Before a credential was spent another connection may do: a leg dialled early can have been closed by the target meanwhile.
      bool retry = !asked_credential_ && !pool_.hostKeyRefused() && leg->ssh != nullptr && tries_ < kMaxTries;
      std::string why = leg->failure;
      leg_ = 0;
      if (!retry) return fail(why);
      return step();
    }
    if (!leg->ssh) return;  // still dialling
    if (leg->ssh->state() == ssh::UpstreamLeg::State::Ready && leg->ticket == 0) {
      leg->ticket = pool_.line_.open(pool_);
      asked_credential_ = true;
      pool_.line_.send(base::WantCredential{leg->ticket, request_, leg->ssh->publicKey()});
      return;
    }
    if (leg->ssh->state() != ssh::UpstreamLeg::State::Open) return;
    channel_ = leg->ssh->newChannel();
    if (!channel_) return fail("out of memory for a channel");
    state_ = State::Opening;
    return;
  }
  if (state_ != State::Opening) return;
  if (!opened_) {
    ssh::Step step = channel_->open();
    if (step == ssh::Step::Again && !channel_->isClosed()) return;
    if (step != ssh::Step::Done) {
      Upstreams::Leg* leg = pool_.find(leg_);
      if (leg != nullptr && leg->failure.empty()) leg->full = true;  // MaxSessions: use another connection
      dropChannel();
      leg_ = 0;
      state_ = State::Connecting;
      return;
    }
    opened_ = true;
  }
  while (next_env_ != env_.cend()) {
    // Refused names are the target's choice (AcceptEnv), as with OpenSSH.
    if (channel_->requestEnv(next_env_->first, next_env_->second) == ssh::Step::Again) return;
    ++next_env_;
  }
  switch (channel_->requestExec(command_)) {
    case ssh::Step::Again:
      if (channel_->isClosed()) {
        state_ = State::Lost;
        failure_ = "the connection to the target was lost after the command was sent";
      }
      return;
    case ssh::Step::Done: state_ = State::Running; return;
    case ssh::Step::Failed:
      if (channel_->isClosed()) {
        state_ = State::Lost;
        failure_ = "the connection to the target was lost after the command was sent";
        return;
      }
      return fail("the target refused to run a command");
  }
}

void UpstreamExec::rearm() {
  Upstreams::Leg* leg = pool_.find(leg_);
  if (leg != nullptr && leg->ssh) leg->ssh->rearm();
}

// ---- Upstreams ----

Upstreams::Upstreams(base::Loop& loop, KeeperLine& line, std::uint64_t connection, std::string agent, base::TargetInfo target,
                     std::string login, const base::WorkerLimits& limits, std::function<void()> on_progress)
    : loop_(loop),
      line_(line),
      connection_(connection),
      agent_(std::move(agent)),
      target_(std::move(target)),
      login_(std::move(login)),
      limits_(limits),
      on_progress_(std::move(on_progress)) {}

Upstreams::~Upstreams() {
  for (auto& leg : legs_) {
    if (leg->dial != 0) line_.forget(leg->dial);
    if (leg->ticket != 0) line_.forget(leg->ticket);
    if (leg->ssh) leg->ssh->end();
  }
}

Upstreams::Leg* Upstreams::find(std::uint64_t number) {
  for (auto& leg : legs_) {
    if (leg->number == number) return leg.get();
  }
  return nullptr;
}

Upstreams::Leg& Upstreams::dial() {
  legs_.push_back(std::make_unique<Leg>());
  Leg& leg = *legs_.back();
  leg.number = next_leg_++;
  leg.started = leg.idle_since = loop_.now();
  leg.dial = line_.open(*this);
  line_.send(base::Dial{leg.dial, connection_, agent_, target_.name});
  return leg;
}

Upstreams::Leg* Upstreams::choose() {
  for (auto& leg : legs_) {
    if (!leg->failure.empty() || leg->full) continue;
    bool stale = !leg->was_authenticated && leg->ssh && leg->ticket == 0 && loop_.now() - leg->started > kReadyLife;
    if (!stale) return leg.get();
    leg->failure = "stale";
    leg->ssh->end();
  }
  std::size_t alive = std::size_t(std::count_if(legs_.begin(), legs_.end(), [](const auto& leg) { return leg->failure.empty(); }));
  return alive >= kMaxLegs ? nullptr : &dial();
}

void Upstreams::preDial() { (void)choose(); }

void Upstreams::onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) {
  if (const auto* dialed = std::get_if<base::Dialed>(&message)) {
    for (auto& leg : legs_) {
      if (leg->dial != dialed->dial) continue;
      line_.forget(leg->dial);
      leg->dial = 0;
      if (!dialed->error.empty() || descriptors.empty()) {
        leg->failure = dialed->error.empty() ? "the target could not be reached" : dialed->error;
      } else {
        leg->ssh = ssh::UpstreamLeg::start(loop_, std::move(descriptors[0]), login_, target_.host_keys, limits_.rekey_bytes, on_progress_);
        if (!leg->ssh) leg->failure = "out of memory for a connection";
      }
      break;
    }
  } else if (const auto* credential = std::get_if<base::Credential>(&message)) {
    for (auto& leg : legs_) {
      if (leg->ticket == 0 || leg->ticket != credential->ticket) continue;
      line_.forget(leg->ticket);
      leg->ticket = 0;
      if (!leg->ssh || leg->ssh->state() != ssh::UpstreamLeg::State::Ready) break;
      if (!credential->error.empty()) {
        leg->failure = credential->error;
        leg->ssh->end();
      } else if (credential->identity && !descriptors.empty()) {
        leg->ssh->authenticateByAgent(std::move(descriptors[0]));
      } else {
        leg->ssh->authenticate(credential->certificate);
      }
      break;
    }
  }
  on_progress_();
}

void Upstreams::noteDead(Leg& leg) {
  leg.failure = leg.ssh->failure();
  if (leg.ssh->hostKeyRefused()) {
    host_key_refused_ = true;
    line_.send(base::Alarm{connection_, target_.name, leg.failure});
  }
  leg.ssh->end();
}

void Upstreams::progress() {
  for (auto& leg : legs_) {
    if (!leg->ssh || !leg->failure.empty()) continue;
    if (leg->ssh->progress() == ssh::UpstreamLeg::State::Dead) noteDead(*leg);
    if (leg->ssh->state() == ssh::UpstreamLeg::State::Open) leg->was_authenticated = true;
  }
  // A dead leg stays until nobody needs its failure text: at most one, so that a target that is down does not collect them.
  if (legs_.size() > 1) {
    std::erase_if(legs_, [&](const auto& leg) { return !leg->failure.empty() && leg != legs_.back() && (!leg->ssh || leg->ssh->channels() == 0); });
  }
}

void Upstreams::rearm() {
  for (auto& leg : legs_) {
    if (leg->ssh && leg->failure.empty()) leg->ssh->rearm();
  }
}

void Upstreams::pause(ssh::Transport::Pause pause) {
  for (auto& leg : legs_) {
    if (leg->ssh && leg->failure.empty()) leg->ssh->pause(pause);
  }
}

bool Upstreams::isBlocked() const {
  return legs_.size() == 1 && legs_[0]->ssh && legs_[0]->failure.empty() && legs_[0]->ssh->isWritePending();
}

bool Upstreams::takeStirred() {
  bool stirred = false;
  for (auto& leg : legs_) {
    if (leg->ssh && leg->failure.empty() && leg->ssh->takeStirred()) stirred = true;
  }
  return stirred;
}

void Upstreams::sendKeepalives() {
  for (auto& leg : legs_) {
    if (leg->ssh && leg->failure.empty()) leg->ssh->sendKeepalive();
  }
  rearm();
}

void Upstreams::closeIdle() {
  auto limit = std::chrono::milliseconds(limits_.upstream_idle_ms);
  std::erase_if(legs_, [&](const auto& leg) {
    bool idle = leg->ssh && leg->failure.empty() && leg->ssh->channels() == 0 && leg->ticket == 0 && loop_.now() - leg->idle_since > limit;
    if (idle) leg->ssh->end();
    return idle;
  });
}

}  // namespace ptygate::session
