/**
 * The import law: kernel <- contracts <- plugins <- cli; core-wasm, sys and state are leaves; plugins never
 * import each other; a package is entered by its index; no circles.
 */
const leaf = (name, allowed = []) => ({
  name: `${name}-is-a-leaf`,
  severity: 'error',
  from: { path: `^packages/${name}/` },
  to: {
    path: `^(packages|apps)/`,
    pathNot: [`^packages/${name}/`, ...allowed.map((a) => `^packages/${a}/`)],
  },
})

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    leaf('kernel'),
    leaf('core-wasm'),
    leaf('sys'),
    leaf('state'),
    leaf('contracts', ['kernel']),
    {
      name: 'plugins-meet-in-contracts',
      severity: 'error',
      from: { path: '^packages/(plugin-[^/]+)/' },
      to: { path: '^packages/plugin-', pathNot: '^packages/$1/' },
    },
    {
      name: 'only-the-cli-is-above-plugins',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    {
      name: 'docker-api-knows-no-edge',
      severity: 'error',
      from: { path: '^packages/plugin-http/src/docker/' },
      to: { path: '^packages/plugin-http/src/proxy/' },
    },
    {
      name: 'packages-are-entered-by-their-index',
      severity: 'error',
      from: { path: '^(?:packages|apps)/([^/]+)/' },
      to: {
        path: '^packages/[^/]+/src/',
        pathNot: ['^packages/$1/', '^packages/[^/]+/src/(index|testing|testing/index)\\.ts$'],
      },
    },
    {
      name: 'web-takes-types-only',
      severity: 'error',
      from: { path: '^apps/web/' },
      to: { path: '^packages/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'end-to-end-touches-the-built-product',
      severity: 'error',
      from: { path: '^test/' },
      to: { path: '^(packages|apps)/[^/]+/src/' },
    },
    {
      name: 'kernel-imports-node-only',
      severity: 'error',
      from: { path: '^packages/kernel/src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '\\.wasm' } },
  ],
  options: {
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: ['/dist/', 'core-wasm/build/', 'node_modules'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
}
