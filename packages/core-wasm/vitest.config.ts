import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  // Property tests run thousands of cases; how long that takes on a busy machine decides nothing.
  test: { include: ['src/**/*.test.ts'], testTimeout: 120_000 },
})
