/* confine.c: a process gives up all that decoding does not need: resource limits, seccomp.
 *
 * The filter is a list of what is allowed, so a system call that a future kernel adds is refused. It is
 * written by hand: thirty lines, against a library that every host would need.
 */
#include "decode/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef THIS_ARCH

#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define UNLESS(test, value, skip) BPF_JUMP(BPF_JMP | (test) | BPF_K, (uint32_t)(value), 0, (skip))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define ALLOW(number) UNLESS(BPF_JEQ, number, 1), RETURN(SECCOMP_RET_ALLOW)
/* Memory that is data: its third argument asks for no execution. Little-endian: the low half first. */
#define ALLOW_DATA(number)                                                     \
    UNLESS(BPF_JEQ, number, 4), LOAD(args[2]), UNLESS(BPF_JSET, PROT_EXEC, 1), \
        RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)

static int filter_calls(void)
{
    struct sock_filter rules[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        ALLOW(SYS_read),
        ALLOW(SYS_write),
        ALLOW(SYS_pread64),
        ALLOW(SYS_pwrite64),
        ALLOW_DATA(SYS_mmap),
        ALLOW_DATA(SYS_mprotect),
        ALLOW(SYS_munmap),
        ALLOW(SYS_mremap),
        ALLOW(SYS_madvise),
        ALLOW(SYS_brk),
        ALLOW(SYS_futex),
        ALLOW(SYS_getrandom),
        ALLOW(SYS_clock_gettime),
        ALLOW(SYS_rt_sigreturn),
        ALLOW(SYS_exit),
        ALLOW(SYS_exit_group),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

static int filter_calls(void)
{
    errno = ENOSYS;
    return -1;
}

#endif

#ifdef __GLIBC__
typedef __rlimit_resource_t limit_name;
#else
typedef int limit_name;
#endif

static int limit(limit_name what, uint64_t most)
{
    const struct rlimit both = {most, most};
    return setrlimit(what, &both);
}

int ir_confine(uint64_t address_bytes_max)
{
    /* No core file: it would hold somebody's picture. No way to be traced, or to gain rights. */
    if (limit(RLIMIT_AS, address_bytes_max) != 0 || limit(RLIMIT_CORE, 0) != 0 ||
        limit(RLIMIT_NOFILE, 0) != 0 || limit(RLIMIT_FSIZE, address_bytes_max) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return filter_calls();
}
