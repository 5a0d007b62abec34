// SPDX-License-Identifier: Apache-2.0
// The table of blocking system calls against the kernel's own headers of both architectures, and against the
// page that explains it. A kernel header with a call that nobody has decided about yet makes this fail.
#include "shared/syscalls.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Row {
    std::string name;
    int x86_64;
    int arm64;
    plimsoll_call_class call_class;
    int writes;
};

#define TEST_ROW(name, x86_64, arm64, call_class, writes) {#name, x86_64, arm64, call_class, writes},

const std::vector<Row> kTable = {PLIMSOLL_SYSCALLS(TEST_ROW)};

struct Architecture {
    std::string name;
    int Row::* number;
    std::vector<std::string> headers;  ///< the first that exists is read
};

const Architecture kX86 = {
    "x86-64",
    &Row::x86_64,
    {"/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/x86_64-linux-gnu/include/asm/unistd_64.h"}};

/// Since 6.11 arm64 has a plain list too; before that it takes the generic header, as does every 64-bit
/// newcomer.
const Architecture kArm = {
    "arm64",
    &Row::arm64,
    {"/usr/aarch64-linux-gnu/include/asm/unistd_64.h", "/usr/include/aarch64-linux-gnu/asm/unistd_64.h",
     "/usr/aarch64-linux-gnu/include/asm-generic/unistd.h", "/usr/include/asm-generic/unistd.h"}};

/// Conditions of the generic header that do not hold on arm64 with 64-bit programs; all others do.
const std::set<std::string> kFalse = {
    "#if __BITS_PER_LONG == 32 || defined(__SYSCALL_COMPAT)",
    "#if defined(__SYSCALL_COMPAT) || __BITS_PER_LONG == 32",
    "#ifdef __SYSCALL_COMPAT",
    "#ifdef __ARCH_WANT_SYNC_FILE_RANGE2",
    "#ifdef __NR3264_stat",
};

/// `#define __NR_name value` for each call that a 64-bit program has; the value may be the name of another
/// define.
std::map<std::string, std::string> read_defines(std::istream& header) {
    std::map<std::string, std::string> defines;
    std::vector<bool> taken;
    for (std::string line; std::getline(header, line);) {
        if (line.starts_with("#if")) {
            taken.push_back(!kFalse.contains(line));
        } else if (line.starts_with("#else")) {
            taken.back() = !taken.back();
        } else if (line.starts_with("#endif")) {
            taken.pop_back();
        } else if (line.starts_with("#define __NR") && std::ranges::find(taken, false) == taken.end()) {
            std::istringstream words(line);
            std::string define, name, value;
            words >> define >> name >> value;
            defines[name] = value;
        }
    }
    return defines;
}

/// Name → number of every call in the architecture's header.
std::map<std::string, int> read_calls(const Architecture& architecture) {
    for (const std::string& path : architecture.headers) {
        std::ifstream header(path);
        if (!header) {
            continue;
        }
        const auto defines = read_defines(header);
        std::map<std::string, int> calls;
        for (auto [name, value] : defines) {
            while (defines.contains(value)) {
                value = defines.at(value);
            }
            // The generic header's own marks: the count, and the first of a range that architectures may use.
            if (name.starts_with("__NR_") && name != "__NR_syscalls" &&
                name != "__NR_arch_specific_syscall") {
                calls[name.substr(5)] = std::stoi(value);
            }
        }
        return calls;
    }
    FAIL("no kernel header for " << architecture.name
                                 << ": install linux-libc-dev (linux-libc-dev-arm64-cross has the other's)");
    return {};
}

/// Every call that is not in the table, with the reason. What waits in them, if anything, is a kernel lock,
/// memory or a path on some file system: `blocked`, `disk` (by in_iowait) or `other` without an entry.
const std::vector<std::string> kIgnored = {
    // Ids, limits, clocks, timers, signals' masks: answered at once.
    R"(getpid getppid gettid getuid geteuid getgid getegid setuid setgid setreuid setregid setresuid
       setresgid getresuid getresgid setfsuid setfsgid getgroups setgroups getpgrp getpgid setpgid getsid
       setsid capget capset getpriority setpriority getrlimit setrlimit prlimit64 getrusage times sysinfo
       uname sethostname setdomainname umask personality prctl arch_prctl getcpu set_tid_address
       set_robust_list get_robust_list rseq time gettimeofday settimeofday clock_gettime clock_settime
       clock_getres adjtimex clock_adjtime getitimer setitimer alarm timer_create timer_settime
       timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime timerfd_gettime
       rt_sigaction rt_sigprocmask rt_sigpending rt_sigreturn sigaltstack kill tkill tgkill
       rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal pidfd_open pidfd_getfd get_thread_area
       set_thread_area modify_ldt iopl ioperm)",
    // The scheduler's: sched_yield stays runnable; an affinity change waits for a kernel thread,
    // uninterruptibly.
    R"(sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_setattr
       sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
       sched_setaffinity sched_getaffinity ioprio_set ioprio_get)",
    // Memory: page-ins set in_iowait, the rest are locks of the address space.
    R"(brk mmap munmap mremap mprotect madvise process_madvise mincore mlock mlock2 munlock mlockall
       munlockall remap_file_pages pkey_mprotect pkey_alloc pkey_free mbind set_mempolicy get_mempolicy
       set_mempolicy_home_node migrate_pages move_pages memfd_create memfd_secret userfaultfd
       process_vm_readv process_vm_writev process_mrelease swapon swapoff shmget shmat shmdt shmctl)",
    // Making, naming or tuning a descriptor or a queue: nothing to wait for yet, at most the object's lock.
    R"(pipe pipe2 dup eventfd eventfd2 signalfd signalfd4 epoll_create epoll_create1 epoll_ctl
       inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_init fanotify_mark io_setup
       io_cancel io_uring_setup perf_event_open socket socketpair bind listen getsockname getpeername
       setsockopt getsockopt msgget msgctl semget semctl mq_open mq_unlink mq_notify mq_getsetattr lseek)",
    // Paths and attributes: locks of the file system (blocked), its disk (in_iowait), or whatever backs it.
    R"(stat fstat lstat newfstatat statx access faccessat faccessat2 statfs fstatfs ustat sysfs getcwd
       chdir fchdir chroot rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat link linkat unlink
       unlinkat symlink symlinkat readlink readlinkat chmod fchmod fchmodat chown fchown lchown fchownat
       utime utimes utimensat futimesat ftruncate fallocate fadvise64 readahead name_to_handle_at
       setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
       removexattr lremovexattr fremovexattr quotactl quotactl_fd)",
    // Mounts and namespaces: locks, and the disk or server behind the mount.
    R"(mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr unshare
       setns)",
    // Births and deaths: fork and execve wait only for kernel locks and for their own threads to end.
    R"(fork execve execveat)",
    // Administration: locks and grace periods of the kernel, uninterruptible.
    R"(ptrace kcmp seccomp bpf membarrier landlock_create_ruleset landlock_add_rule
       landlock_restrict_self add_key delete_module kexec_load kexec_file_load reboot acct vhangup uselib)",
    // Numbers without an implementation.
    R"(_sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg afs_syscall tuxcall
       security vserver epoll_ctl_old epoll_wait_old lookup_dcookie)",
    // Newer than 6.1, decided already: none waits for anything (a requeued waiter is in futex_wait).
    R"(cachestat fchmodat2 map_shadow_stack futex_wake futex_requeue statmount listmount
       lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat
       removexattrat open_tree_attr file_getattr file_setattr listns uretprobe uprobe)",
};

std::set<std::string> ignored_calls() {
    std::set<std::string> names;
    for (const std::string& group : kIgnored) {
        std::istringstream words(group);
        for (std::string name; words >> name;) {
            INFO(name << " is listed twice");
            CHECK(names.insert(name).second);
        }
    }
    return names;
}

/// Where a thread in a call of this class ends up, as the page says it; the order is the page's.
const std::vector<std::pair<plimsoll_call_class, std::string>> kClassTitles = {
    {CALL_FUTEX, "`futex`"},
    {CALL_POLL, "`poll`, on an array of descriptors"},
    {CALL_SELECT, "`poll`, on sets of them"},
    {CALL_EPOLL, "`poll`, on an epoll instance"},
    {CALL_SLEEP, "`sleep`"},
    {CALL_CHILD, "`child`"},
    {CALL_FORK, "`child` while killable, else `blocked`"},
    {CALL_IO_URING, "`io_uring`"},
    {CALL_DISK, "`disk`"},
    {CALL_FD, "by the kind of file"},
    {CALL_RESTART, "the state it was in"},
    {CALL_OTHER, "`other`"},
};

std::string documented_table() {
    std::ostringstream page;
    page << "| leads to | calls |\n|---|---|\n";
    for (const auto& [call_class, title] : kClassTitles) {
        page << "| " << title << " |";
        for (const Row& row : kTable) {
            if (row.call_class == call_class) {
                page << " " << row.name << (row.arm64 < 0 ? "\\*" : "");
            }
        }
        page << " |\n";
    }
    return page.str();
}

}  // namespace

TEST_CASE("every number in the table is the one in the architecture's kernel header") {
    for (const Architecture& architecture : {kX86, kArm}) {
        const auto calls = read_calls(architecture);
        REQUIRE(calls.size() > 300);
        int newest = 0;
        for (const auto& [name, number] : calls) {
            newest = std::max(newest, number);
        }
        for (const Row& row : kTable) {
            const int number = row.*architecture.number;
            CAPTURE(architecture.name, row.name, number);
            if (const auto call = calls.find(row.name); call != calls.end()) {
                CHECK(number == call->second);
            } else {
                // Absent there, or newer than the installed header.
                CHECK((number == -1 || number > newest));
            }
        }
    }
}

TEST_CASE("no two calls of the table share a number or a name") {
    for (const Architecture& architecture : {kX86, kArm}) {
        std::map<int, std::string> owners;
        for (const Row& row : kTable) {
            const int number = row.*architecture.number;
            if (number < 0) {
                continue;
            }
            CHECK(number < PLIMSOLL_SYSCALL_LIMIT);
            const auto [owner, fresh] = owners.emplace(number, row.name);
            INFO(architecture.name << ": " << owner->second << " and " << row.name);
            CHECK(fresh);
        }
    }
    std::set<std::string> names;
    for (const Row& row : kTable) {
        CAPTURE(row.name);
        CHECK(names.insert(row.name).second);
        CHECK(row.x86_64 >= 0);  // the x86-64-only list is the whole of what an architecture lacks
    }
}

TEST_CASE("every call of both architectures is in the table or on the list of those that need no entry") {
    const auto ignored = ignored_calls();
    std::set<std::string> decided = ignored;
    for (const Row& row : kTable) {
        INFO(row.name << " is in the table and on the list");
        CHECK_FALSE(ignored.contains(row.name));
        decided.insert(row.name);
    }
    for (const Architecture& architecture : {kX86, kArm}) {
        for (const auto& [name, number] : read_calls(architecture)) {
            INFO(architecture.name << " has " << name << " (" << number
                                   << "): what does a thread wait for in it?");
            CHECK(decided.contains(name));
        }
    }
}

TEST_CASE("only calls on descriptors write") {
    const std::set<std::string> writes{"write",   "writev",   "pwrite64", "pwritev",  "pwritev2", "sendto",
                                       "sendmsg", "sendmmsg", "sendfile", "vmsplice", "connect",  "shutdown"};
    for (const Row& row : kTable) {
        CAPTURE(row.name);
        CHECK(row.call_class != CALL_NONE);
        CHECK(row.writes == (writes.contains(row.name) ? 1 : 0));
        CHECK((row.writes == 0 || row.call_class == CALL_FD));
    }
}

TEST_CASE("docs/thread-states.md lists the calls as the table has them") {
    std::ifstream file(std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "docs/thread-states.md");
    REQUIRE(file);
    std::stringstream text;
    text << file.rdbuf();
    const std::string page = text.str();
    const std::string begin = "<!-- calls: begin -->\n";
    const auto from = page.find(begin);
    const auto to = page.find("<!-- calls: end -->");
    REQUIRE(from != std::string::npos);
    REQUIRE(to != std::string::npos);
    CHECK(page.substr(from + begin.size(), to - from - begin.size()) == documented_table());
}
