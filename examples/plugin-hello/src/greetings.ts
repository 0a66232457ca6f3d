import { defineService } from '@kernel/kernel'

/** What this plugin gives to other plugins. */
export interface Greetings {
  /** How often each app was greeted since the daemon started. */
  counts(): Promise<Record<string, number>>
}
export const Greetings = defineService<Greetings>('hello-greetings')
