import { createHash } from 'node:crypto'

/** A device name holds 15 bytes. */
const MAX_NAME = 15

/**
 * The global names of one daemon, all derived from its instance hash, so that several daemons run side by
 * side and each can tell its own remains. Bridges of every daemon begin with `kb`, which lets one rule of
 * another firewall name them all (`kb+`).
 */
export interface InstanceNames {
  /** nftables table. */
  table: string
  /** Folder of the network namespaces. */
  netnsDir: string
  defaultBridge: string
  bridgeOf(networkId: string): string
  vethOf(endpointId: string): string
  ownsBridge(link: string): boolean
  ownsVeth(link: string): boolean
  /** A number that differs between daemons. */
  seed: number
}

/** @throws TypeError where the hash has other characters than letters and digits */
export function instanceNames(instance: string): InstanceNames {
  if (!/^[a-z0-9]{4,16}$/.test(instance)) {
    throw new TypeError(
      `not an instance hash: ${JSON.stringify(instance)} (4 to 16 lower-case letters and digits)`,
    )
  }
  const tag = instance.slice(0, 6)
  const cut = (name: string) => name.slice(0, MAX_NAME)
  const defaultBridge = `kbr-${tag}`
  return {
    table: `kernel_${instance}`,
    netnsDir: `/run/kernel-${instance}/netns`,
    defaultBridge,
    bridgeOf: (networkId) => cut(`kb${tag}${networkId}`),
    vethOf: (endpointId) => cut(`kv${tag}${endpointId}`),
    ownsBridge: (link) => link === defaultBridge || link.startsWith(`kb${tag}`),
    ownsVeth: (link) => link.startsWith(`kv${tag}`),
    seed: createHash('sha256').update(instance).digest().readUInt16BE(0),
  }
}
