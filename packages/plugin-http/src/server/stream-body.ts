/** A body that is written piece by piece as it comes, and let go of where the client goes. */
export function streamBody(pieces: AsyncIterable<Uint8Array | string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
      } catch (error) {
        // Ended because nobody reads any more, or cut short: an error makes the server break the connection.
        if ((error as Error).name === 'AbortError') controller.close()
        else controller.error(error)
      }
    },
    cancel() {
      // Not awaited: a generator that waits for the next piece ends when its signal aborts.
      void iterator.return?.()
    },
  })
}
