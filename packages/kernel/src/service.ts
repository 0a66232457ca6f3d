/** Any service, where the type of its implementation does not matter. */
export interface AnyService {
  readonly name: string
  readonly kind: 'service'
}

/** A token of a service with the interface `T`, by which a plugin that has it and one that needs it meet. */
export interface ServiceToken<T> extends AnyService {
  /** Never present at run time: it carries the type. */
  readonly '~type'?: (implementation: T) => T
}

/** The interface behind a token. */
export type ServiceOf<S> = S extends ServiceToken<infer T> ? T : never

/**
 * Tokens are compared by name, so that two copies of a package still meet.
 *
 * @example
 * export const ImageStore = defineService<ImageStore>('image-store')
 */
export const defineService = <T>(name: string): ServiceToken<T> => Object.freeze({ name, kind: 'service' })
