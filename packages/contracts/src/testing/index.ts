/** Conformance suites: each contract's promises, run by every implementation. @module */
export {}
