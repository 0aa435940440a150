/* SPDX-License-Identifier: MIT */
/* The door for system calls: failures are negative numbers, descriptors are close-on-exec, sockets do not block, and a
 * table with replaced members is what a loop uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "fixture.h"
#include "sys.h"

static const struct wr_sys *sys;

static int find_sys(void **state)
{
    (void)state;
    sys = wr_sys_default();
    return 0;
}

static void failures_are_negative_numbers(void **state)
{
    (void)state;
    struct stat st;
    char c;
    DIR *dir;
    assert_int_equal(sys->open("/nonexistent/file", O_RDONLY, 0), -ENOENT);
    assert_int_equal(sys->stat("/nonexistent/file", &st), -ENOENT);
    assert_int_equal(sys->opendir("/nonexistent/file", &dir), -ENOENT);
    assert_int_equal(sys->read(-1, &c, 1), -EBADF);
    assert_int_equal(sys->write(-1, "x", 1), -EBADF);
    assert_int_equal(sys->close(-1), -EBADF);
    assert_int_equal(sys->lseek(-1, 0, SEEK_SET), -EBADF);
    assert_int_equal(sys->connect(-1, NULL, 0), -EBADF);
    assert_int_equal(sys->isatty(-1), 0);
}

static void descriptors_are_close_on_exec(void **state)
{
    (void)state;
    int fd = sys->open("/dev/null", O_RDWR, 0), s = sys->socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(sys->fcntl(fd, F_GETFD, 0) & FD_CLOEXEC);
    assert_true(sys->fcntl(s, F_GETFD, 0) & FD_CLOEXEC);
    assert_true(sys->fcntl(s, F_GETFL, 0) & O_NONBLOCK);
    assert_int_equal(sys->close(fd), 0);
    assert_int_equal(sys->close(s), 0);
}

static void files_are_written_and_read(void **state)
{
    (void)state;
    char dir[] = "/tmp/weir-sys-test-XXXXXX", path[64], other[64], got[8] = "";
    struct iovec iov[] = {{"ab", 2}, {"cd", 2}};
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a", dir);
    snprintf(other, sizeof other, "%s/b", dir);
    int fd = sys->open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sys->writev(fd, iov, 2), 4);
    assert_int_equal(sys->pwrite(fd, "X", 1, 1), 1);
    assert_int_equal(sys->pwritev(fd, iov, 1, 4), 2);
    assert_int_equal(sys->pread(fd, got, 8, 0), 6);
    assert_string_equal(got, "aXcdab");
    assert_int_equal(sys->ftruncate(fd, 3), 0);
    assert_int_equal(sys->fsync(fd), 0);
    assert_int_equal(sys->fdatasync(fd), 0);
    assert_int_equal(sys->fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(sys->close(fd), 0);
    assert_int_equal(sys->rename(path, other), 0);
    assert_int_equal(sys->lstat(other, &st), 0);
    assert_int_equal(sys->rmdir(dir), -ENOTEMPTY);
    assert_int_equal(sys->unlink(other), 0);
    assert_int_equal(sys->rmdir(dir), 0);
}

static void a_directory_is_read_to_its_end(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-sys-test-XXXXXX";
    DIR *dir;
    struct dirent *entry;
    int count = 0;
    assert_non_null(mkdtemp(path));
    assert_int_equal(sys->opendir(path, &dir), 0);
    while (sys->readdir(dir, &entry) == 0 && entry)
        count++;
    assert_null(entry);
    assert_int_equal(count, 2); /* . and .. */
    assert_int_equal(sys->closedir(dir), 0);
    assert_int_equal(sys->rmdir(path), 0);
}

static int late[2];

static void write_late(int signum)
{
    (void)signum;
    if (write(late[1], "x", 1) != 1)
        abort();
}

static void an_interrupted_read_is_made_again(void **state)
{
    (void)state;
    char c;
    struct sigaction action = {.sa_handler = write_late}, old; /* without SA_RESTART */
    struct itimerval soon = {{0, 0}, {0, 20000}};
    assert_int_equal(sys->pipe2(late, 0), 0);
    assert_int_equal(sys->sigaction(SIGALRM, &action, &old), 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(sys->read(late[0], &c, 1), 1);
    sys->sigaction(SIGALRM, &old, NULL);
    sys->close(late[0]);
    sys->close(late[1]);
}

static int noon(clockid_t clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = 12;
    now->tv_nsec = 500000000;
    return 0;
}

static void a_member_can_be_replaced(void **state)
{
    (void)state;
    struct wr_alloc a;
    struct wr_sys faked = *sys;
    faked.clock_gettime = noon;
    wr_alloc_init(&a, NULL, NULL);
    struct wr_loop *loop = wr_loop_new(&a, &faked, NULL);
    assert_true(wr_loop_hrtime(loop) == 12500000000);
    assert_true(wr_loop_now(loop) == 12500.0);
    wr_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_negative_numbers),     cmocka_unit_test(descriptors_are_close_on_exec),
        cmocka_unit_test(files_are_written_and_read),        cmocka_unit_test(a_directory_is_read_to_its_end),
        cmocka_unit_test(an_interrupted_read_is_made_again), cmocka_unit_test(a_member_can_be_replaced),
    };
    return cmocka_run_group_tests(tests, find_sys, NULL);
}
