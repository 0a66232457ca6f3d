import { check, foreign } from './libc.ts'

const fcntl = foreign('fcntl', 'int', ['int', 'int', 'int'])

const F_GETFD = 1
const F_SETFD = 2
const FD_CLOEXEC = 1

/**
 * Keeps a descriptor from the programs that this process starts: one that came from the service manager is
 * inherited by every child otherwise. @throws SysError EBADF where the descriptor is not open
 */
export function closeOnExec(fd: number): void {
  const flags = check(fcntl(fd, F_GETFD, 0), 'fcntl', { path: `descriptor ${fd}` })
  check(fcntl(fd, F_SETFD, flags | FD_CLOEXEC), 'fcntl', { path: `descriptor ${fd}` })
}
