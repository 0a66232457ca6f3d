/**
 * Service tokens. A service is an interface one plugin implements and others use; they share only the token.
 *
 * @module
 * @example
 * export interface ImageStore { list(): Promise<Image[]> }
 * export const ImageStore = defineService<ImageStore>('image-store')
 */

/** Any service, where the type of its implementation does not matter. */
export interface AnyService {
  readonly name: string
  readonly kind: 'service'
}

/** A token of a service with the interface `T`. The kernel compares tokens by name. */
export interface ServiceToken<T> extends AnyService {
  /** Never present at run time: it carries the type. */
  readonly '~type'?: (implementation: T) => T
}

/** The interface behind a token. */
export type ServiceOf<S> = S extends ServiceToken<infer T> ? T : never

export function defineService<T>(name: string): ServiceToken<T> {
  return Object.freeze({ name, kind: 'service' })
}
