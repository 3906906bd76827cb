// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker/confine.h"

#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace ptygate::worker {

namespace {

// Landlock by its system calls: Debian 12 has no wrapper, and its header lacks what newer kernels can refuse as well.
bool applyLandlock() {
  constexpr std::uint64_t kFsAbi1 = (1ULL << 13) - 1;
  constexpr std::uint64_t kFsRefer = 1ULL << 13;
  constexpr std::uint64_t kFsTruncate = 1ULL << 14;
  constexpr std::uint64_t kFsIoctlDevice = 1ULL << 15;
  constexpr std::uint64_t kNetBindConnect = 3;
  struct {
    std::uint64_t fs = 0;
    std::uint64_t net = 0;
  } rules;
  long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  rules.fs = kFsAbi1 | (abi >= 2 ? kFsRefer : 0) | (abi >= 3 ? kFsTruncate : 0) | (abi >= 5 ? kFsIoctlDevice : 0);
  rules.net = abi >= 4 ? kNetBindConnect : 0;
  // No rule is added: every access that the ruleset handles is refused.
  long fd = ::syscall(SYS_landlock_create_ruleset, &rules, abi >= 4 ? sizeof rules : sizeof rules.fs, 0);
  if (fd < 0) return false;
  bool applied = ::syscall(SYS_landlock_restrict_self, fd, 0) == 0;
  ::close(int(fd));
  return applied;
}

constexpr int kAllowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
    SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(membarrier), SCMP_SYS(getrusage), SCMP_SYS(times)};

// What only an intruder would call: the process ends at once instead of getting an error to work around.
constexpr int kFatal[] = {SCMP_SYS(execve),     SCMP_SYS(execveat), SCMP_SYS(fork),   SCMP_SYS(vfork),  SCMP_SYS(ptrace),
                          SCMP_SYS(bind),       SCMP_SYS(listen),   SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect),
                          SCMP_SYS(mount),      SCMP_SYS(unshare),  SCMP_SYS(setns),  SCMP_SYS(bpf),    SCMP_SYS(process_vm_readv),
                          SCMP_SYS(pidfd_getfd), SCMP_SYS(process_vm_writev)};

bool applySeccomp() {
  // Anything else, open and socket among it, is EPERM: libraries that look for a file at odd times have to live with that.
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  auto allow = [&](int call) { ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0; };
  for (int call : kAllowed) allow(call);
  for (int call : kFatal) ok = ok && seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0) == 0;
  // fstat() of newer C libraries is newfstatat with an empty path; by a path it is refused by Landlock and meaningless here.
  allow(SCMP_SYS(newfstatat));
  // Threads of libuv's pool, never a process. clone3 cannot be looked into: with ENOSYS the C library falls back to clone.
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  // Memory never becomes executable.
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
  // socketpair for inner connections, of Unix sockets only.
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, 1)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD)) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) == 0;
  // abort() signals itself.
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, scmp_datum_t(::getpid()))) == 0;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

}  // namespace

Confinement confineWorker() {
  Confinement done;
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  done.no_new_privs = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  done.landlock = applyLandlock();
  done.seccomp = applySeccomp();
  return done;
}

}  // namespace ptygate::worker
