/* SPDX-License-Identifier: MIT */
/* The system call door: the real calls, with EINTR and errno dealt with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sys.h"

/* The answer of a call that just returned R. */
static int result(int r)
{
    return r < 0 ? -errno : r;
}

static ssize_t result_of_io(ssize_t r)
{
    return r < 0 ? -errno : r;
}

/* Must a call that returned R be made again? */
static int interrupted(ssize_t r)
{
    return r < 0 && errno == EINTR;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (interrupted(fd));
    return result(fd);
}

static int do_close(int fd)
{
    int r = close(fd);
    return interrupted(r) ? 0 : result(r);
}

static int do_fcntl(int fd, int cmd, int arg)
{
    return result(fcntl(fd, cmd, arg));
}

static int do_pipe2(int fds[2], int flags)
{
    return result(pipe2(fds, flags));
}

static int do_isatty(int fd)
{
    return isatty(fd);
}

static ssize_t do_read(int fd, void *buf, size_t len)
{
    ssize_t n;
    do
        n = read(fd, buf, len);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_pread(int fd, void *buf, size_t len, off_t at)
{
    ssize_t n;
    do
        n = pread(fd, buf, len, at);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_write(int fd, const void *buf, size_t len)
{
    ssize_t n;
    do
        n = write(fd, buf, len);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_pwrite(int fd, const void *buf, size_t len, off_t at)
{
    ssize_t n;
    do
        n = pwrite(fd, buf, len, at);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_writev(int fd, const struct iovec *iov, int count)
{
    ssize_t n;
    do
        n = writev(fd, iov, count);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    ssize_t n;
    do
        n = pwritev(fd, iov, count, at);
    while (interrupted(n));
    return result_of_io(n);
}

static off_t do_lseek(int fd, off_t at, int whence)
{
    off_t r = lseek(fd, at, whence);
    return r < 0 ? -errno : r;
}

static int do_fsync(int fd)
{
    int r;
    do
        r = fsync(fd);
    while (interrupted(r));
    return result(r);
}

static int do_fdatasync(int fd)
{
    int r;
    do
        r = fdatasync(fd);
    while (interrupted(r));
    return result(r);
}

static int do_ftruncate(int fd, off_t len)
{
    int r;
    do
        r = ftruncate(fd, len);
    while (interrupted(r));
    return result(r);
}

static int do_fchmod(int fd, mode_t mode)
{
    return result(fchmod(fd, mode));
}

static int do_fchown(int fd, uid_t uid, gid_t gid)
{
    return result(fchown(fd, uid, gid));
}

static int do_fstat(int fd, struct stat *st)
{
    return result(fstat(fd, st));
}

static int do_stat(const char *path, struct stat *st)
{
    return result(stat(path, st));
}

static int do_lstat(const char *path, struct stat *st)
{
    return result(lstat(path, st));
}

static int do_rename(const char *from, const char *to)
{
    return result(rename(from, to));
}

static int do_unlink(const char *path)
{
    return result(unlink(path));
}

static int do_mkdir(const char *path, mode_t mode)
{
    return result(mkdir(path, mode));
}

static int do_rmdir(const char *path)
{
    return result(rmdir(path));
}

static ssize_t do_readlink(const char *path, char *buf, size_t len)
{
    return result_of_io(readlink(path, buf, len));
}

static int do_opendir(const char *path, DIR **dir)
{
    *dir = opendir(path);
    return *dir ? 0 : -errno;
}

static int do_readdir(DIR *dir, struct dirent **entry)
{
    errno = 0;
    *entry = readdir(dir);
    return *entry ? 0 : -errno;
}

static int do_closedir(DIR *dir)
{
    return result(closedir(dir));
}

static int do_socket(int domain, int type, int protocol)
{
    return result(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

static int do_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return result(bind(fd, addr, len));
}

static int do_listen(int fd, int backlog)
{
    return result(listen(fd, backlog));
}

static int do_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    int r;
    do
        r = accept4(fd, addr, len, flags | SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (interrupted(r));
    return result(r);
}

static int do_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return result(connect(fd, addr, len));
}

static int do_shutdown(int fd, int how)
{
    return result(shutdown(fd, how));
}

static int do_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return result(getsockname(fd, addr, len));
}

static int do_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return result(getpeername(fd, addr, len));
}

static int do_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return result(getsockopt(fd, level, name, value, len));
}

static int do_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return result(setsockopt(fd, level, name, value, len));
}

static ssize_t do_recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n;
    do
        n = recv(fd, buf, len, flags);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t n;
    do
        n = send(fd, buf, len, flags);
    while (interrupted(n));
    return result_of_io(n);
}

static ssize_t do_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ssize_t n;
    do
        n = sendmsg(fd, msg, flags);
    while (interrupted(n));
    return result_of_io(n);
}

static int do_sigaction(int signum, const struct sigaction *action, struct sigaction *old)
{
    return result(sigaction(signum, action, old));
}

static int do_clock_gettime(clockid_t clock, struct timespec *now)
{
    return result(clock_gettime(clock, now));
}

static const struct wr_sys real = {
    .open = do_open,
    .close = do_close,
    .fcntl = do_fcntl,
    .pipe2 = do_pipe2,
    .isatty = do_isatty,
    .read = do_read,
    .pread = do_pread,
    .write = do_write,
    .pwrite = do_pwrite,
    .writev = do_writev,
    .pwritev = do_pwritev,
    .lseek = do_lseek,
    .fsync = do_fsync,
    .fdatasync = do_fdatasync,
    .ftruncate = do_ftruncate,
    .fchmod = do_fchmod,
    .fchown = do_fchown,
    .fstat = do_fstat,
    .stat = do_stat,
    .lstat = do_lstat,
    .rename = do_rename,
    .unlink = do_unlink,
    .mkdir = do_mkdir,
    .rmdir = do_rmdir,
    .readlink = do_readlink,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .closedir = do_closedir,
    .socket = do_socket,
    .bind = do_bind,
    .listen = do_listen,
    .accept4 = do_accept4,
    .connect = do_connect,
    .shutdown = do_shutdown,
    .getsockname = do_getsockname,
    .getpeername = do_getpeername,
    .getsockopt = do_getsockopt,
    .setsockopt = do_setsockopt,
    .recv = do_recv,
    .send = do_send,
    .sendmsg = do_sendmsg,
    .sigaction = do_sigaction,
    .clock_gettime = do_clock_gettime,
};

const struct wr_sys *wr_sys_default(void)
{
    return &real;
}
