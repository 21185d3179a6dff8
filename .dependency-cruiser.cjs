/**
 * The layers, checked: app → adapters → ports → domain, and one home for each library that has one.
 * test/architecture plants a violation of every rule by name; a rule without a probe there fails its tests.
 */

const NPM = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown', 'unknown'];

/** A package as it is resolved, or as it is written where it is not installed. */
const packages = (...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})(/|$)|^(${names.join('|')})(/|$)`;

/** One home for a library: nobody else in src imports it. */
function onlyIn(name, home, library, comment) {
  return {
    name,
    severity: 'error',
    comment,
    from: { path: '^src/', pathNot: home },
    to: { path: packages(...library) },
  };
}

module.exports = {
  forbidden: [
    {
      name: 'domain-imports-nothing-outside',
      severity: 'error',
      comment: 'The rules of the domain are plain data and functions: with no packages and no I/O they need no fakes.',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'ports-import-domain-and-streams',
      severity: 'error',
      comment: "A port speaks the domain's words and Node's streams, and mimics no tool.",
      from: { path: '^src/ports/' },
      to: { pathNot: ['^src/(ports|domain)/', '^(node:)?stream$'] },
    },
    {
      name: 'ports-import-streams-as-types',
      severity: 'error',
      comment: 'A port is a promise and runs nothing: what it takes from node:stream are types.',
      from: { path: '^src/ports/' },
      to: { path: '^(node:)?stream$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'adapters-do-not-know-app',
      severity: 'error',
      comment: 'An adapter is a plain class that works without the program around it.',
      from: { path: '^src/adapters/' },
      to: { path: '^src/(app/|index\\.ts$)' },
    },
    {
      name: 'adapters-do-not-know-each-other',
      severity: 'error',
      comment:
        'One folder for each technology: any of them can be left out or replaced. What those of other machines share is in remote.',
      from: { path: '^src/adapters/([^/]+)/', pathNot: '^src/adapters/(ssh-dyno|embedded)/' },
      to: { path: '^src/adapters/', pathNot: '^src/adapters/($1|remote|leases)/' },
    },
    {
      name: 'ssh-dyno-knows-ssh2-alone',
      severity: 'error',
      comment:
        'What ssh2 leaves open to a hostile peer is closed in one place, for both roles: the server, and the client of a dyno.',
      from: { path: '^src/adapters/ssh-dyno/' },
      to: { path: '^src/adapters/', pathNot: '^src/adapters/(ssh-dyno|ssh2|remote)/' },
    },
    {
      name: 'embedded-knows-sqlite-alone',
      severity: 'error',
      comment: 'Users and apps of the embedded platform lie in the one database, beside what gitmouths share there.',
      from: { path: '^src/adapters/embedded/' },
      to: { path: '^src/adapters/', pathNot: '^src/adapters/(embedded|sqlite)/' },
    },
    {
      name: 'use-case-does-not-know-adapters',
      severity: 'error',
      comment:
        'In app only the composition root with its platforms and states, main, gateway, config and cli may choose technologies; the use case asks ports.',
      from: { path: '^src/app/', pathNot: '^src/app/(cli/|platforms/|state/|(main|gateway|container|config)\\.ts$)' },
      to: { path: '^src/adapters/' },
    },
    onlyIn(
      'inversify-only-in-container',
      '^src/app/(container|tokens|gateway|adapter-modules|bound-ports|port-shapes)\\.ts$',
      ['inversify', '@inversifyjs', 'reflect-metadata'],
      'Wiring is in one file and without decorators, so that everything else can be used without the container.',
    ),
    {
      name: 'inversify-elsewhere-as-types',
      severity: 'error',
      comment:
        "Tokens, the second door (createGateway) and what looks after adapters name the container's types, and run nothing of it.",
      from: { path: '^src/app/', pathNot: '^src/app/container\\.ts$' },
      to: { path: packages('inversify', '@inversifyjs', 'reflect-metadata'), dependencyTypesNot: ['type-only'] },
    },
    onlyIn(
      'ssh2-only-in-its-adapters',
      '^src/adapters/(ssh2|ssh-dyno)/',
      ['ssh2'],
      'SSH is one technology among others: for clients, and for dynos.',
    ),
    {
      name: 'ssh2-private-parts-only-in-internals',
      severity: 'error',
      comment:
        'What ssh2 does not promise can change with any release: one file holds our use of it, with its version.',
      from: { path: '^src/', pathNot: '^src/adapters/ssh2/internals\\.ts$' },
      to: { path: '(^|/)ssh2/lib/', pathNot: '(^|/)ssh2/lib/index\\.js$' },
    },
    onlyIn(
      'ml-kem-only-in-post-quantum',
      '^src/adapters/ssh2/post-quantum/',
      ['@noble/post-quantum'],
      'Whether Node or a library computes it is chosen in one place.',
    ),
    onlyIn(
      'sqlite-only-in-its-adapters',
      '^src/adapters/(sqlite|embedded)/',
      ['better-sqlite3'],
      'One database, opened and migrated in one place; others ask it through ports.',
    ),
    onlyIn(
      'redis-only-in-its-adapter',
      '^src/adapters/redis/',
      ['ioredis'],
      'Redis is one way to share a state among others; everybody else asks ports.',
    ),
    onlyIn(
      'counters-only-behind-their-port',
      '^src/adapters/(memory|sqlite|redis)/',
      ['rate-limiter-flexible'],
      'What is counted where is behind the port RateLimiter; how much may be is the domain’s to say.',
    ),
    onlyIn(
      'http-client-only-in-remote',
      '^src/adapters/remote/',
      ['node-fetch'],
      'Bounds, trust and refused redirects are in one place, for every platform that is asked over HTTP.',
    ),
    {
      name: 'contracts-know-domain-and-ports',
      severity: 'error',
      comment:
        "A contract holds a port's adapter to its promises, whichever adapter and test runner that is: it needs no package.",
      from: { path: '^src/contracts/' },
      to: { pathNot: '^src/(contracts|domain|ports)/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'contracts-are-for-tests',
      severity: 'error',
      comment: 'Contracts ship for the tests of adapters; what serves does not need what tests it.',
      from: { path: '^src/', pathNot: '^src/contracts/' },
      to: { path: '^src/contracts/' },
    },
    {
      name: 'src-does-not-know-test',
      severity: 'error',
      comment: 'What ships does not need what tests it.',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment:
        'Two files that need each other to run are one file, or there is a third one to be found (types alone may refer to each other).',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'only-declared-dependencies',
      severity: 'error',
      comment: 'What ships may import what package.json promises to install, and nothing that happens to lie about.',
      from: { path: '^src/' },
      to: { dependencyTypes: NPM.filter((type) => type !== 'npm'), dependencyTypesNot: ['type-only', 'npm'] },
    },
  ],
  options: {
    // A type-only import is a dependency too: without this the fences would not see it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
