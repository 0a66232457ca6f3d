/**
 * Every foreign call of the product, by subject. Importing it loads nothing: on another system than Linux, or
 * without the rights, `available()` and the single calls say so.
 * @module
 */
export { type BindOptions, bindUdp, listenTcp } from './bound-sockets.ts'
export { forgetConnections } from './conntrack.ts'
export { closeOnExec } from './descriptors.ts'
export { describeErrno, SysError, type SysErrorContext, SysUnavailableError } from './errors.ts'
export { available } from './libc.ts'
export { type FileLock, LockHeldError, lockFile } from './lock-file.ts'
export {
  bindMount,
  isMountPoint,
  listMounts,
  type MountInfo,
  MS,
  makePrivate,
  mount,
  remountReadonly,
  umount,
  umountIfMounted,
  umountLater,
} from './mount.ts'
export { createNetns, deleteNetns, type Netns, withNetns } from './namespaces.ts'
export {
  type Address,
  type Link,
  type LinkOptions,
  type LinkRef,
  Netlink,
  type NewRoute,
  type Route,
  type VethPeer,
} from './netlink.ts'
export type { LinkStats } from './netlink-links.ts'
export { isWhiteout, makeDevice, makeWhiteout, mkfifo, mknod, S_IF, splitDevice } from './nodes.ts'
export { sdNotify } from './notify.ts'
export { mountOverlay, type OverlayMount } from './overlay.ts'
export { pidfdOpen, pidfdSendSignal, processEnd, setChildSubreaper } from './process.ts'
export { getRlimit, isRlimitName, type Rlimit, type RlimitName } from './rlimits.ts'
export {
  mkdirAllInRoot,
  O_PATH,
  openInRoot,
  openRoot,
  type Root,
  realpathInRoot,
  removeInRoot,
  withParentInRoot,
} from './safe-path.ts'
export { connectSeqpacket, SeqpacketSocket } from './seqpacket.ts'
export { syncFilesystem } from './sync.ts'
export {
  isOpaque,
  lgetXattr,
  llistXattr,
  lremoveXattr,
  lsetXattr,
  OVERLAY_OPAQUE,
  setOpaque,
} from './xattr.ts'
