/**
 * How the parts of the runtime meet: each interface is what its consumer needs, no more.
 *
 * store/       content, layers, images, registry, snapshots    -> Snapshots, ImageStore
 * networks/    bridges, namespaces, DNS, published ports       -> Sandboxes
 * volumes/     named and anonymous volumes                     -> VolumeMounts
 * containers/  OCI runtime, conmon, life cycle, exec, logs     -> Containers (contracts)
 * build/       Dockerfile builds                               -> ImageBuilder (contracts)
 * base-image/  the base image made from this machine           -> BaseImage (contracts)
 * scheduler/   the two drivers of the Scheduler contract
 * host/        probes: what this machine can do
 * events/      the event stream
 * @module
 */
import type {
  ContainerChange,
  ContainerConfig,
  Digest,
  EndpointSettings,
  HostConfig,
  ImageBuilder,
  ImageBuildRequest,
  ImageConfig,
  Images,
  MountPoint,
  OnProgress,
  PortBinding,
} from '@kernel/contracts'

/** Writable root file systems: one overlay a container or build step, over an image's unpacked layers. */
export interface Snapshots {
  /** Records the snapshot durably and makes its folders. Unpacks layers where that is still to be done. */
  prepare(key: string, layers: Digest[]): Promise<void>
  /** Mounts it where it is not mounted; answers the path of the root. */
  mount(key: string): Promise<string>
  unmount(key: string): Promise<void>
  /** Unmounts and removes; no error where it is gone already. */
  remove(key: string): Promise<void>
  /** The overlay's upper folder: what was changed. */
  upperDir(key: string): string
  /** Bytes in the upper folder. */
  usage(key: string): Promise<number>
  keys(): Promise<string[]>
  /**
   * Packs the changes as an OCI layer (whiteouts included), stores and registers it as an unpacked layer. With
   * `leaveOut` (paths relative to the root, all below them included) the snapshot stays as it is in any case.
   */
  commit(key: string, options?: { leaveOut?: string[] }): Promise<LayerInfo>
  /** What differs from the layers, sorted by path. */
  changes(key: string): Promise<ContainerChange[]>
}

/** Lays tars over trees that are in use, such as the root of a running container. */
export interface TreeArchives {
  /**
   * Takes a tar in whole (any compression), before anything is changed, and extracts it below `into` when `work`
   * says so. `root` is a descriptor of the directory that nothing leads out of.
   * @throws invalid where it is no tar, or breaks `keepKinds`
   */
  unpack<T>(
    tar: AsyncIterable<Uint8Array>,
    work: (
      extract: (
        root: number,
        into: string,
        rules: { owner?: { uid: number; gid: number }; keepKinds?: boolean },
      ) => Promise<void>,
    ) => Promise<T>,
  ): Promise<T>
}

export interface LayerInfo {
  /** Digest of the uncompressed tar. */
  diffId: Digest
  /** Bytes unpacked. */
  size: number
}

export interface ImageRecord {
  id: Digest
  config: ImageConfig
  /** Image this one was built on, for Docker's parent field. */
  parent?: Digest
  /** Bytes of all layers, unpacked. */
  size: number
}

/** The image store beyond the public `Images` contract. */
export interface ImageStore extends Images {
  /** @throws not-found `No such image: REF` */
  resolve(ref: string): Promise<ImageRecord>
  /** Stores a configuration over layers that exist; same content, same id. `keep` names what pins it besides tags (`build-cache`, `artifact hello`). */
  createImage(
    config: ImageConfig,
    options?: { tags?: string[]; parent?: Digest; keep?: string },
  ): Promise<ImageRecord>
  /** Removes what `keep` pinned; garbage goes at once. Answers bytes reclaimed. */
  unkeep(keep: string, id?: Digest): Promise<number>
  kept(keep: string): Promise<Digest[]>
  /** A layer from a folder: deterministic (sorted, mtimes clamped to `mtime` seconds where given, owner overridden where given). */
  addLayerFromDir(
    dir: string,
    options?: { owner?: { uid: number; gid: number }; mtime?: number; prefix?: string },
  ): Promise<LayerInfo>
  /** A layer from a tar (any compression), verified against `digest` where given. */
  addLayerFromTar(
    tar: AsyncIterable<Uint8Array>,
    options?: { digest?: Digest; diffId?: Digest },
  ): Promise<LayerInfo>
  hasLayer(diffId: Digest): Promise<boolean>
  /** Path of the unpacked layer, read only by custom. */
  layerDir(diffId: Digest): Promise<string>
  /** Pulls unless it is here. */
  ensure(ref: string, onProgress: OnProgress): Promise<ImageRecord>
  /** What containers exist, and which of them run, is known only to containers/: it tells the store through this. */
  setUsers(usersOf: (id: Digest) => string[], isRunning?: (containerId: string) => boolean): void
}

/**
 * A builder whose cache can belong to what was built: apps' builds leave nothing on disk that no release pins.
 * Without a scope, cache entries live until they are pruned, as `docker build`'s do.
 */
export interface ScopedImageBuilder extends ImageBuilder {
  /**
   * With a scope: the result is pinned (`ImageStore.createImage`'s keep) as `keeper`, together with every
   * cache entry that the build used or made, build stages included; a failed build removes the entries it made.
   */
  build(
    request: ImageBuildRequest & { cacheScope?: { keeper: string; id: string } },
    onProgress: OnProgress,
  ): Promise<{ id: Digest }>
  /** Lets go of the cache entries that only this image's build used; answers bytes reclaimed. */
  releaseScope(id: Digest): Promise<number>
}

/** What networks/ is told of a container that is about to start. */
export interface SandboxRequest {
  containerId: string
  /** Without the leading `/`. */
  name: string
  hostname: string
  domainname: string
  config: ContainerConfig
  hostConfig: HostConfig
  /** Networks by name or id, as recorded in the container; empty: from NetworkMode. */
  endpoints: Record<string, EndpointSettings>
}

export interface SandboxResult {
  /** Path of the network namespace; undefined: the host's own. */
  netns?: string
  endpoints: Record<string, EndpointSettings>
  ports: Record<string, PortBinding[] | null>
  /** Contents for /etc/hosts and /etc/resolv.conf; undefined: the host's own file. */
  hosts: string
  resolvConf: string
}

/** A container's place on its networks: up before its first process, down after its last. */
export interface Sandboxes {
  /** Checks networks and ports by name without doing anything. @throws not-found, invalid */
  validate(request: SandboxRequest): Promise<void>
  /** Namespace, links, addresses, DNS, ports. Takes back everything where a step fails (`port is already allocated`). */
  up(request: SandboxRequest): Promise<SandboxResult>
  down(containerId: string): Promise<void>
  /** After a restart of the daemon: DNS sockets and records of containers that still run are made anew; all other remains are removed. */
  restore(running: Array<SandboxRequest & { result: SandboxResult }>): Promise<void>
  /** A started or stopped container joins or leaves; answers the endpoint to be recorded. */
  rename(containerId: string, name: string): Promise<void>
  /** Containers/ tells who is on a network, also when stopped. */
  setContainers(
    list: () => Array<{
      id: string
      name: string
      running: boolean
      /** Its processes stand still: a name that others share does not lead to it. */
      paused?: boolean
      endpoints: Record<string, EndpointSettings>
    }>,
  ): void
  /**
   * Called by `Networks.connect/disconnect` so that containers/ records the endpoint.
   * `files`: what /etc/hosts and /etc/resolv.conf of a running container are to hold from now on.
   */
  onEndpointChange(
    handler: (
      containerId: string,
      network: string,
      endpoint: EndpointSettings | undefined,
      files: Pick<SandboxResult, 'hosts' | 'resolvConf'> | undefined,
    ) => Promise<void>,
  ): void
}

/** Volumes and binds of a container. */
export interface VolumeMounts {
  /**
   * Turns Binds, Mounts, Tmpfs and the image's Volumes into mount points; makes anonymous and missing named volumes.
   * @param inherited mounts of other containers, which give way to what was asked for, not to the image's
   */
  resolve(
    containerId: string,
    config: ContainerConfig,
    hostConfig: HostConfig,
    inherited?: MountPoint[],
  ): Promise<MountPoint[]>
  /** Fills new, empty volumes from the image's folder at their destination (paths never leave `rootfs`). */
  populate(mounts: MountPoint[], rootfs: string): Promise<void>
  /** Removes the anonymous volumes made for the container. */
  removeAnonymous(containerId: string): Promise<void>
  setUsers(usersOf: (volume: string) => string[]): void
}

/** What host/ found at start. */
export interface HostFacts {
  root: boolean
  /** Path and kind of the OCI runtime that passed its probe; undefined: no containers here, see `reason`. */
  runtime?: { kind: 'crun' | 'runc'; path: string; version: string; unmountUnified: boolean }
  conmon?: { path: string; version: string }
  cgroup: 'v1' | 'hybrid' | 'v2' | 'none'
  overlay: boolean
  nft: boolean
  /** Why containers can't be had. */
  reason?: string
}
