/** Which of an index's manifests is for this machine. Source: containerd `platforms`; OCI image-index.md. @module */
import { type Descriptor, invalid, type Platform } from '@kernel/contracts'

const architectures: Record<string, Platform> = {
  x64: { os: 'linux', architecture: 'amd64' },
  arm64: { os: 'linux', architecture: 'arm64' },
  arm: { os: 'linux', architecture: 'arm', variant: 'v7' },
  ia32: { os: 'linux', architecture: '386' },
  riscv64: { os: 'linux', architecture: 'riscv64' },
  ppc64: { os: 'linux', architecture: 'ppc64le' },
  s390x: { os: 'linux', architecture: 's390x' },
}

/** Other names that people write. */
const aliases: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  i386: '386',
}

/** This machine's own. */
export function hostPlatform(): Platform {
  return architectures[process.arch] ?? { os: 'linux', architecture: process.arch }
}

/** `linux/arm64/v8`, `arm64`, `linux`. @throws invalid */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw invalid(`"${text}" is an invalid platform: it is written like linux/amd64`)
  if (parts.length === 1 && parts[0] !== 'linux') parts.unshift('linux')
  const [os = 'linux', architecture = hostPlatform().architecture, variant] = parts
  return { os, architecture: aliases[architecture] ?? architecture, ...(variant && { variant }) }
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** The best of an index's entries; undefined where none fits. Attestations are no images. */
export function chooseManifest(
  manifests: Descriptor[],
  wanted: Platform = hostPlatform(),
): Descriptor | undefined {
  const images = manifests.filter((item) => item.annotations?.['vnd.docker.reference.type'] === undefined)
  const fitting = images.filter(({ platform }) => platform && isMatch(platform, wanted))
  if (fitting.length === 0) return images.length === 1 && !images[0]!.platform ? images[0] : undefined
  return fitting.sort((a, b) => rank(b.platform!, wanted) - rank(a.platform!, wanted))[0]
}

/** An arm of a lower version runs on a higher one. */
function isMatch(platform: Platform, wanted: Platform): boolean {
  const architecture = aliases[platform.architecture] ?? platform.architecture
  if (platform.os !== wanted.os || architecture !== wanted.architecture) return false
  if (architecture === 'arm') return version(platform) <= version(wanted)
  return !wanted.variant || !platform.variant || platform.variant === wanted.variant
}

function rank(platform: Platform, wanted: Platform): number {
  return platform.architecture === 'arm' ? version(platform) : Number(platform.variant === wanted.variant)
}

const version = ({ variant }: Platform) => Number(/^v(\d+)$/.exec(variant ?? 'v7')?.[1] ?? 7)
