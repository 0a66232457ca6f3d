/** What V8 makes of the program is kept from one start to the next: compiling is a quarter of a start. @module */
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** By then nobody waits for the start, in milliseconds. */
const WRITE_AFTER = 5000

/**
 * Keeps compiled code in the cache folder of this user (CACHE_DIRECTORY of systemd, XDG_CACHE_HOME, ~/.cache), for
 * what is loaded from now on, threads included. A folder that others may write would let them run code as us; where
 * none can be made, everything is compiled as ever.
 */
export function keepCompiledCode(env: NodeJS.ProcessEnv): void {
  const caches = env.CACHE_DIRECTORY?.split(':')[0] || env.XDG_CACHE_HOME || join(homedir(), '.cache')
  env.NODE_COMPILE_CACHE ??= join(caches, 'kernel', 'compiled')
  const umask = process.umask(0o077)
  const { status } = module.enableCompileCache(env.NODE_COMPILE_CACHE)
  process.umask(umask)
  // Written at the end of the process as well, but a daemon may be killed.
  if (status === module.constants.compileCacheStatus.ENABLED)
    setTimeout(() => module.flushCompileCache(), WRITE_AFTER).unref()
}
