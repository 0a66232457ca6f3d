/** Conformance suites: each contract's promises, run by every implementation. @module */
export { containersSuite } from './containers.ts'
export { routerSuite } from './router.ts'
export { schedulerSuite } from './scheduler.ts'
export { eventually, type Subject, type SuiteCase } from './suite.ts'
