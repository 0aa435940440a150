/* SPDX-License-Identifier: MIT */
/* The one door for system calls.
 *
 * Whoever opens, reads, writes or connects does it through a table of functions that was handed to it, so that a test,
 * or the hard build, can hand over one whose nth call fails, reads one byte, or writes short. To make one: copy the
 * default table and replace members; a replacement may call the default's.
 *
 * Every function answers as its namesake does, but a failure is a negative errno number and not -1: errno itself is
 * never read by callers. A call that a signal interrupted (EINTR) is made again, save close (the descriptor is gone
 * whatever it says, so it answers 0) and connect (it goes on by itself: -EINTR is then as good as -EINPROGRESS). All of
 * them may be called on any thread.
 *
 * SIGPIPE is the process's business, not a library's: on sockets use send and sendmsg with MSG_NOSIGNAL. Only the
 * command ignores the signal, so an embedder that writes to pipes and did not ignore it dies of it, as with any write
 * of his own.
 */
#ifndef WR_BASE_SYS_H
#define WR_BASE_SYS_H

#include <dirent.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct wr_sys {
    /* Descriptors. open adds O_CLOEXEC. fcntl is for the commands that take an int or nothing. */
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    int (*fcntl)(int fd, int cmd, int arg);
    int (*pipe2)(int fds[2], int flags);
    int (*isatty)(int fd); /* 1, or 0 */
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*pread)(int fd, void *buf, size_t len, off_t at);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    ssize_t (*pwrite)(int fd, const void *buf, size_t len, off_t at);
    ssize_t (*writev)(int fd, const struct iovec *iov, int count);
    ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t at);

    /* Files. */
    off_t (*lseek)(int fd, off_t at, int whence);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t len);
    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t uid, gid_t gid);
    int (*fstat)(int fd, struct stat *st);
    int (*stat)(const char *path, struct stat *st);
    int (*lstat)(const char *path, struct stat *st);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    ssize_t (*readlink)(const char *path, char *buf, size_t len);
    int (*opendir)(const char *path, DIR **dir);
    int (*readdir)(DIR *dir, struct dirent **entry); /* *entry NULL at the end; valid until the next call on DIR */
    int (*closedir)(DIR *dir);

    /* Sockets. socket and accept4 add SOCK_CLOEXEC and SOCK_NONBLOCK. */
    int (*socket)(int domain, int type, int protocol);
    int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *addr, socklen_t *len, int flags);
    int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*shutdown)(int fd, int how);
    int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
    int (*getpeername)(int fd, struct sockaddr *addr, socklen_t *len);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
    ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
    ssize_t (*send)(int fd, const void *buf, size_t len, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);

    /* The process. */
    int (*sigaction)(int signum, const struct sigaction *action, struct sigaction *old);
    int (*clock_gettime)(clockid_t clock, struct timespec *now);
};

/* The table of the real calls; it lives for ever. */
const struct wr_sys *wr_sys_default(void);

#endif
