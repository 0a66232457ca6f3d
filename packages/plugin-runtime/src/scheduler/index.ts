/** The two drivers of the Scheduler contract. @module */
export { createArtifacts } from './artifacts.ts'
export { createContainerDriver } from './container-driver.ts'
export { createTreeArtifacts } from './process/artifacts.ts'
export { createProcessDriver } from './process/driver.ts'
