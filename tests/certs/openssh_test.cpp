// SPDX-License-Identifier: Apache-2.0
// What certs/ makes, in the hands of OpenSSH: ssh-keygen reads it, and a real sshd with nothing but TrustedUserCAKeys lets it in, or does
// not.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "certs/describe.h"
#include "certs/key_file.h"
#include "tests/certs/support.h"

extern char** environ;

namespace ptygate::certs {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::TempDir;

constexpr int kPatienceMs = 20'000;  // for a busy machine; nothing waits this long when all is well

/// Finds a program in PATH or in the sbin folders; empty when absent.
std::string programPath(const std::string& name) {
  std::string path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
  path += ":/usr/sbin:/usr/local/sbin";
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t colon = std::min(path.find(':', at), path.size());
    const std::string candidate = path.substr(at, colon - at) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = colon + 1;
  }
  return {};
}

/// Starts a program with stdin from /dev/null and its outputs in pipes' write ends; returns its pid.
pid_t spawn(const std::vector<std::string>& argv, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, words[0], &actions, nullptr, words.data(), environ), 0) << argv[0];
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

struct Outcome {
  int status = -1;
  std::string output;  // stdout and stderr together
};

Outcome run(const std::vector<std::string>& argv) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const pid_t pid = spawn(argv, ends[1], ends[1]);
  ::close(ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) outcome.output.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

int freePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

/// A throw-away sshd on 127.0.0.1. Its log is read until it says that it listens.
class Sshd {
 public:
  Sshd(const std::string& program, const std::string& config, int port) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = spawn({program, "-D", "-e", "-f", config, "-p", std::to_string(port)}, ends[1], ends[1]);
    ::close(ends[1]);
    log_ = ends[0];
    while (said_.find("Server listening") == std::string::npos && readMore()) {
    }
    listens_ = said_.find("Server listening") != std::string::npos;
  }
  ~Sshd() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(log_);
  }
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;
  [[nodiscard]] bool listens() const { return listens_; }
  /// What it logged so far.
  [[nodiscard]] std::string log() {
    for (pollfd ready{log_, POLLIN, 0}; ::poll(&ready, 1, 0) == 1 && readMore();) {
    }
    return said_;
  }

 private:
  bool readMore() {
    pollfd ready{log_, POLLIN, 0};
    char buffer[4096];
    if (::poll(&ready, 1, kPatienceMs) != 1) return false;
    const ssize_t got = ::read(log_, buffer, sizeof buffer);
    if (got > 0) said_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  pid_t pid_ = -1;
  int log_ = -1;
  bool listens_ = false;
  std::string said_;
};

class OpenSsh : public ::testing::Test {
 protected:
  void SetUp() override {
    keygen_ = programPath("ssh-keygen");
    sshd_program_ = programPath("sshd");
    ssh_ = programPath("ssh");
    if (!keygen_.empty() && !sshd_program_.empty() && !ssh_.empty()) return;
    FAIL() << "OpenSSH's ssh, sshd or ssh-keygen is not installed: run scripts/setup";
  }

  std::string login() const { return ::getpwuid(::geteuid())->pw_name; }

  IssueRequest requestFor(const Ed25519PrivateKey& user) const {
    const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    return IssueRequest{.subject_blob = user.publicKey().blob(),
                        .principal = login(),
                        .key_id = "ptygate/test/1",
                        .serial = 99,
                        .valid_after = now - seconds(60),
                        .valid_before = now + seconds(120),
                        .source_address = {},
                        .force_command = {}};
  }

  TempDir dir_;
  std::string keygen_, sshd_program_, ssh_;
  Ed25519PrivateKey ca_ = std::move(*Ed25519PrivateKey::generate());
  Ed25519PrivateKey user_ = std::move(*Ed25519PrivateKey::generate());
  Bytes nonce_ = *randomBytes(32);
};

TEST_F(OpenSsh, KeygenReadsTheKeyFilesAndAgreesOnTheFingerprint) {
  ASSERT_TRUE(writePrivateKeyFile(dir_ / "key", ca_, "gate").has_value());
  const auto fingerprint = run({keygen_, "-l", "-f", dir_ / "key"});
  EXPECT_EQ(fingerprint.output, "256 " + ca_.publicKey().fingerprint() + " gate (ED25519)\n");
  const auto derived = run({keygen_, "-y", "-f", dir_ / "key"});
  EXPECT_EQ(derived.output, ca_.publicKey().line() + " gate\n");
}

TEST_F(OpenSsh, KeygensKeyFilesAreLoadedAndThoseWithAPassphraseRefused) {
  ASSERT_EQ(run({keygen_, "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", dir_ / "plain"}).status, 0);
  const auto key = loadPrivateKeyFile(dir_ / "plain");
  ASSERT_TRUE(key.has_value()) << key.error().text;
  EXPECT_EQ(key->publicKey().line() + " a comment\n", testing::readFile(dir_ / "plain.pub"));
  ASSERT_EQ(run({keygen_, "-q", "-t", "ed25519", "-N", "secret", "-f", dir_ / "locked"}).status, 0);
  testing::expectError(loadPrivateKeyFile(dir_ / "locked"), ErrorKind::PassphraseProtected);
  ASSERT_EQ(run({keygen_, "-q", "-t", "ecdsa", "-N", "", "-f", dir_ / "ecdsa"}).status, 0);
  testing::expectError(loadPrivateKeyFile(dir_ / "ecdsa"), ErrorKind::UnsupportedAlgorithm);
}

TEST_F(OpenSsh, KeygenReadsIssuedCertificates) {
  IssueRequest request = requestFor(user_);
  request.valid_after = sys_seconds(seconds(1'790'000'000));
  request.valid_before = request.valid_after + seconds(120);
  request.source_address = "127.0.0.0/8,::1";
  request.force_command = "echo forced";
  request.permit_pty = true;
  ::setenv("TZ", "UTC", 1);
  testing::writeFile(dir_ / "user-cert.pub", certificateLine(*issue(request, ca_, nonce_)) + "\n");
  const auto shown = run({keygen_, "-L", "-f", dir_ / "user-cert.pub"});
  EXPECT_EQ(shown.status, 0);
  for (const std::string& line : std::vector<std::string>{
           "ssh-ed25519-cert-v01@openssh.com user certificate", "Public key: ED25519-CERT " + user_.publicKey().fingerprint(),
           "Signing CA: ED25519 " + ca_.publicKey().fingerprint() + " (using ssh-ed25519)", "Key ID: \"ptygate/test/1\"", "Serial: 99",
           "Valid: from 2026-09-21T14:13:20 to 2026-09-21T14:15:20", "force-command echo forced", "source-address 127.0.0.0/8,::1",
           "permit-pty"}) {
    EXPECT_NE(shown.output.find(line), std::string::npos) << line << "\n" << shown.output;
  }
  EXPECT_EQ(shown.output.find("permit-user-rc"), std::string::npos);
}

/// A running sshd that trusts ca_ as user CA and knows no other key, and the client's files.
class RealSshd : public OpenSsh {
 protected:
  void SetUp() override {
    OpenSsh::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (::geteuid() == 0) std::filesystem::create_directories("/run/sshd");  // sshd as root refuses to start without it
    ASSERT_TRUE(writePrivateKeyFile(dir_ / "host", host_, "").has_value());
    testing::writeFile(dir_ / "ca.pub", ca_.publicKey().line() + "\n");
    testing::writeFile(dir_ / "sshd_config",
                       "ListenAddress 127.0.0.1\nHostKey " + (dir_ / "host") + "\nTrustedUserCAKeys " + (dir_ / "ca.pub") +
                           "\nAuthorizedKeysFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                           "PermitRootLogin prohibit-password\nUsePAM no\nStrictModes no\nPidFile none\nLogLevel VERBOSE\n");
    // Another program may take the free port before sshd does.
    for (int attempt = 0; attempt < 5 && (!sshd_ || !sshd_->listens()); ++attempt) {
      port_ = freePort();
      sshd_ = std::make_unique<Sshd>(sshd_program_, dir_ / "sshd_config", port_);
    }
    ASSERT_TRUE(sshd_->listens()) << sshd_->log();
    ASSERT_TRUE(writePrivateKeyFile(dir_ / "user", user_, "").has_value());
    testing::writeFile(dir_ / "known_hosts", "gate " + host_.publicKey().line() + "\n");
  }

  /// Logs in with this certificate and runs `echo asked`.
  Outcome loginWith(const Certificate& certificate) {
    testing::writeFile(dir_ / "user-cert.pub", certificateLine(certificate) + "\n");
    return run({ssh_,
                "-F",
                "none",
                "-p",
                std::to_string(port_),
                "-i",
                dir_ / "user",
                "-o",
                "CertificateFile=" + (dir_ / "user-cert.pub"),
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "IdentityAgent=none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "HostKeyAlias=gate",
                "-o",
                "UserKnownHostsFile=" + (dir_ / "known_hosts"),
                "-o",
                "GlobalKnownHostsFile=none",
                "-o",
                "LogLevel=ERROR",
                login() + "@127.0.0.1",
                "echo asked"});
  }

  void expectRefused(const Certificate& certificate) {
    const auto outcome = loginWith(certificate);
    EXPECT_EQ(outcome.status, 255) << sshd_->log();
    EXPECT_NE(outcome.output.find("Permission denied"), std::string::npos) << outcome.output << sshd_->log();
  }

  Ed25519PrivateKey host_ = std::move(*Ed25519PrivateKey::generate());
  std::unique_ptr<Sshd> sshd_;
  int port_ = 0;
};

TEST_F(RealSshd, RefusesACertificateOfAnotherAuthority) {
  expectRefused(*issue(requestFor(user_), *Ed25519PrivateKey::generate(), nonce_));
}

TEST_F(RealSshd, RefusesACertificateForAnotherLogin) {
  IssueRequest request = requestFor(user_);
  request.principal = "another";
  expectRefused(*issue(request, ca_, nonce_));
}

TEST_F(RealSshd, RefusesAnExpiredCertificate) {
  IssueRequest request = requestFor(user_);
  request.valid_before = request.valid_after + seconds(30);
  expectRefused(*issue(request, ca_, nonce_));
}

TEST_F(RealSshd, RefusesACertificateForAnotherSourceAddress) {
  IssueRequest request = requestFor(user_);
  request.source_address = "192.0.2.0/24";
  expectRefused(*issue(request, ca_, nonce_));
}

TEST_F(RealSshd, AcceptsAnIssuedCertificateWithOnlyTrustedUserCaKeys) {
  IssueRequest request = requestFor(user_);
  request.source_address = "127.0.0.1";
  const auto outcome = loginWith(*issue(request, ca_, nonce_));
  EXPECT_EQ(outcome.status, 0) << sshd_->log();
  EXPECT_EQ(outcome.output, "asked\n") << sshd_->log();
  EXPECT_NE(sshd_->log().find("ID ptygate/test/1 (serial 99) CA ED25519 " + ca_.publicKey().fingerprint()), std::string::npos)
      << sshd_->log();
}

TEST_F(RealSshd, RunsTheForcedCommandInPlaceOfTheOneAskedFor) {
  IssueRequest request = requestFor(user_);
  request.force_command = "echo 'forced'; exit 7";
  const auto outcome = loginWith(*issue(request, ca_, nonce_));
  EXPECT_EQ(outcome.status, 7) << sshd_->log();
  EXPECT_EQ(outcome.output, "forced\n");
}

TEST_F(RealSshd, TakesTheLongestForcedCommandThatIsIssued) {
  IssueRequest request = requestFor(user_);
  const std::string head = "echo long # ";
  request.force_command = head + std::string(kMaxForceCommandBytes - head.size(), 'x');
  const auto outcome = loginWith(*issue(request, ca_, nonce_));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "long\n");
}

}  // namespace
}  // namespace ptygate::certs
