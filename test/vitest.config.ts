import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['*.test.ts'],
    // Each file has a daemon of its own; the machine they are meant for has two cores.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Real kernels, registries and browsers on machines that others use as well: what fails once is tried once more, and
    // the report says so (`retry x1`). What fails twice has failed.
    retry: 1,
    reporters: ['default'],
  },
})
