/** `docker commit`: a container's changes and configuration as an image. @module */
import { posix } from 'node:path'
import {
  type ContainerCommit,
  type ContainerInspect,
  type Containers,
  type Digest,
  type Events,
  type ImageConfig,
  type ImageRunConfig,
  invalid,
} from '@kernel/contracts'
import { mergeImageConfig } from '../containers/config-merge.ts'
import { engineFiles } from '../containers/engine-files.ts'
import type { ImageRecord, ImageStore, Snapshots } from '../parts.ts'
import { metadataSteps } from './metadata.ts'
import { parseInstruction } from './parse.ts'
import { StageState } from './stage-state.ts'

export interface CommitParts {
  images: ImageStore
  snapshots: Snapshots
  containers: Containers
  events: Events
}

/**
 * Instructions that a change can't be: they make files or stages.
 * Source: moby, `builder/dockerfile/builder.go`, validCommitCommands, of which these are the rest.
 */
const refused = new Set(['FROM', 'RUN', 'COPY', 'ADD', 'ARG', 'SHELL', 'MAINTAINER'])

/** Fields of a container that mean something in an image; host names, terminals and the like are its own. */
const carried = [
  ...['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir'],
  ...['Labels', 'StopSignal', 'Healthcheck', 'Shell'],
] as const satisfies Array<keyof ImageRunConfig>

/** @throws not-found; invalid for a bad change or tag */
export async function commitContainer(
  parts: CommitParts,
  ref: string,
  options: ContainerCommit,
): Promise<{ id: Digest }> {
  const { containers, images, snapshots } = parts
  const container = await containers.inspect(ref)
  const base = await images.resolve(container.Image)
  const config = configOf(container, base, options)
  const pauses = options.pause !== false && container.State.Running && !container.State.Paused
  if (pauses) await containers.pause(container.Id)
  try {
    const leaveOut = engineFiles(snapshots.upperDir(container.Id))
    const { diffId } = await snapshots.commit(container.Id, { leaveOut })
    const created = new Date().toISOString()
    const { id } = await images.createImage(
      {
        ...base.config,
        created,
        author: options.author ?? '',
        config,
        rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, diffId] },
        history: [
          ...(base.config.history ?? []),
          {
            created,
            created_by: (container.Config.Cmd ?? []).join(' '),
            ...(options.author && { author: options.author }),
            ...(options.comment && { comment: options.comment }),
          },
        ],
      },
      { parent: base.id, ...(options.tag && { tags: [options.tag] }) },
    )
    tell(parts.events, container, id, options)
    return { id }
  } finally {
    // It may have been removed meanwhile, or unpaused by hand.
    if (pauses) await containers.unpause(container.Id).catch(() => {})
  }
}

function configOf(
  { Config }: ContainerInspect,
  base: ImageRecord,
  { config = {}, changes = [] }: ContainerCommit,
): ImageRunConfig {
  const { OnBuild, ...changed } = configWith(base.config, config, changes)
  const merged = mergeImageConfig({ ...changed, Image: '' }, Config)
  const kept = carried.flatMap((name) => (merged[name] === undefined ? [] : [[name, merged[name]]]))
  return { ...Object.fromEntries(kept), ...(OnBuild && { OnBuild }) }
}

/** A configuration with changes on top. @throws invalid in dockerd's words */
export function configWith(
  image: ImageConfig,
  config: ImageRunConfig,
  changes: string[] = [],
): ImageRunConfig {
  const state = new StageState({ key: 'commit', config: { ...image, config } }, {}, image)
  for (const text of changes.map((change) => change.trim()).filter(Boolean)) {
    const keyword = text.split(/\s/, 1)[0] ?? ''
    if (refused.has(keyword.toUpperCase()))
      throw invalid(`${keyword.toLowerCase()} is not a valid change command`)
    const step = parseInstruction(text)
    if (step.keyword === 'WORKDIR')
      state.config.WorkingDir = posix.resolve(state.config.WorkingDir || '/', step.args)
    else metadataSteps[step.keyword]!(state, step, '\\')
  }
  return state.config
}

function tell(
  events: Events,
  { Id, Name, Config }: ContainerInspect,
  imageID: Digest,
  { comment = '', tag = '' }: ContainerCommit,
): void {
  const Attributes = {
    ...Config.Labels,
    comment,
    image: Config.Image,
    imageID,
    imageRef: tag,
    name: Name.slice(1),
  }
  events.publish({ Type: 'container', Action: 'commit', Actor: { ID: Id, Attributes } })
}
