/** Volumes, in the Docker Engine API's shapes. @module */
import { defineService } from '@kernel/kernel'

export interface VolumeInspect {
  Name: string
  Driver: string
  Mountpoint: string
  CreatedAt: string
  Labels: Record<string, string>
  Scope: 'local'
  Options: Record<string, string>
  UsageData?: { Size: number; RefCount: number }
}

export interface Volumes {
  create(body: {
    Name?: string
    Driver?: string
    Labels?: Record<string, string>
    DriverOpts?: Record<string, string>
  }): Promise<VolumeInspect>
  /** `size`: with UsageData, which takes a walk through every file. */
  list(options?: { filters?: Record<string, string[]>; size?: boolean }): Promise<VolumeInspect[]>
  inspect(name: string): Promise<VolumeInspect>
  /** @throws conflict while a container uses it */
  remove(name: string, options?: { force?: boolean }): Promise<void>
  prune(options?: {
    filters?: Record<string, string[]>
  }): Promise<{ deleted: string[]; spaceReclaimed: number }>
}
export const Volumes = defineService<Volumes>('volumes')
