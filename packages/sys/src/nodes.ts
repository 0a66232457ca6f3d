import { check, cstr, foreign } from './libc.ts'

const mknodCall = foreign('mknod', 'int', ['void *', 'uint', 'uint64_t'])
const mkfifoCall = foreign('mkfifo', 'int', ['void *', 'uint'])

/** File types of mknod(2). */
export const S_IF = { FIFO: 0o010000, CHR: 0o020000, BLK: 0o060000, REG: 0o100000, SOCK: 0o140000 } as const

type Path = string | Buffer

/** The number that Linux gives a device, in glibc's layout (the one that `stat.rdev` shows). */
export function makeDevice(major: number, minor: number): bigint {
  const [M, m] = [BigInt(major), BigInt(minor)]
  return ((M & 0xfffff000n) << 32n) | ((M & 0xfffn) << 8n) | ((m & 0xffffff00n) << 12n) | (m & 0xffn)
}

/** Splits `stat.rdev` into major and minor. */
export function splitDevice(device: number | bigint): { major: number; minor: number } {
  const d = BigInt(device)
  return {
    major: Number(((d >> 32n) & 0xfffff000n) | ((d >> 8n) & 0xfffn)),
    minor: Number(((d >> 12n) & 0xffffff00n) | (d & 0xffn)),
  }
}

/**
 * Makes a device, socket or plain file. As with mknod(2) the umask applies.
 * @param mode one of {@link S_IF} together with the permission bits
 */
export function mknod(path: Path, mode: number, major = 0, minor = 0): void {
  check(mknodCall(cstr(path), mode, makeDevice(major, minor)), 'mknod', { path: String(path) })
}

/** Makes a named pipe; the umask applies. */
export function mkfifo(path: Path, mode: number): void {
  check(mkfifoCall(cstr(path), mode), 'mkfifo', { path: String(path) })
}

/** Hides an entry of the layers below: overlayfs reads a character device 0/0 as "deleted here". */
export function makeWhiteout(path: Path): void {
  mknod(path, S_IF.CHR, 0, 0)
}

/** Whether an lstat shows an overlayfs whiteout. */
export function isWhiteout(stat: { isCharacterDevice(): boolean; rdev: number | bigint }): boolean {
  return stat.isCharacterDevice() && BigInt(stat.rdev) === 0n
}
