import tseslint from 'typescript-eslint';

const NO_CLOCK = 'Time and randomness are arguments here: the caller asks its Clock (docs/adr/0001-pure-domain.md).';
const ONLY_CONFIG = 'Only src/app/config.ts reads the environment; take what you need as an argument.';
const DEFAULT_IMPORT =
  "ssh2 is CommonJS whose names Node cannot see: `import ssh2 from 'ssh2'` (types may be named, with `type`).";

const environment = { object: 'process', property: 'env', message: ONLY_CONFIG };
const environmentImport = { name: 'node:process', importNames: ['env'], message: ONLY_CONFIG };

/** Where text, JSON or an untyped library becomes a typed value; nowhere else does `as` narrow a type. */
const DECODERS = [
  'src/domain/git-request.ts',
  'src/adapters/ssh2/internals.ts',
  'src/adapters/ssh2/session.ts',
  'src/adapters/ssh2/agent-keys.ts',
  'src/app/config.ts',
  'src/app/cli/program.ts',
];

/** Any way to import a value of ssh2 by name. */
const ssh2Names = [
  {
    selector: "ImportDeclaration[source.value='ssh2'][importKind!='type'] > ImportSpecifier[importKind!='type']",
    message: DEFAULT_IMPORT,
  },
  { selector: "ImportDeclaration[source.value='ssh2'] > ImportNamespaceSpecifier", message: DEFAULT_IMPORT },
];

/** What ssh2 does not promise: its underscored members and the files of its lib folder. */
const ssh2Private = [
  'MemberExpression[property.name=/^_/]',
  'MemberExpression > Literal.property[value=/^_/]',
  'ObjectPattern > Property[key.name=/^_/]',
  'TSPropertySignature[key.name=/^_/]',
  'Literal[value=/^ssh2.lib/]',
].map((selector) => ({
  selector,
  message:
    'Private parts of ssh2 are touched in src/adapters/ssh2/internals.ts alone (and the file it has beside it), tied to its version.',
}));

const roundabout = [
  {
    selector: "MemberExpression[property.name='env'][object.type='MemberExpression'][object.property.name='process']",
    message: ONLY_CONFIG,
  },
];

const clocks = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: NO_CLOCK },
  { selector: 'CallExpression[callee.name="Date"]', message: NO_CLOCK },
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'data/', 'coverage/', 'examples/*/dist/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-control-regex': 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...ssh2Names],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // A port's promise is asynchronous whether or not one adapter has anything to wait for.
      '@typescript-eslint/require-await': 'off',
      // The reason of an abort is passed on as it is, whatever it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      // Numbers read well in a template.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-type-assertion': 'error',
      'no-restricted-syntax': ['error', ...ssh2Names, ...ssh2Private, ...roundabout],
      'no-restricted-properties': ['error', environment],
      'no-restricted-imports': ['error', environmentImport],
    },
  },
  { files: DECODERS, rules: { '@typescript-eslint/no-unsafe-type-assertion': 'off' } },
  { files: ['src/app/config.ts'], rules: { 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' } },
  {
    files: ['internals', 'added-exchange', 'ssh2-parts'].map((name) => `src/adapters/ssh2/${name}.ts`),
    rules: { 'no-restricted-syntax': ['error', ...ssh2Names, ...roundabout] },
  },
  { files: ['src/app/cli/**/*.ts', 'src/app/main.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['src/domain/**/*.ts', 'src/ports/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        environment,
        { object: 'Date', property: 'now', message: NO_CLOCK },
        { object: 'Math', property: 'random', message: NO_CLOCK },
        { object: 'crypto', message: NO_CLOCK },
        { object: 'performance', message: NO_CLOCK },
      ],
      'no-restricted-syntax': ['error', ...ssh2Private, ...roundabout, ...clocks],
    },
  },
  {
    // Test code that ships: what it is given is a harness, whose methods `casesOf` binds.
    files: ['src/contracts/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['examples/**/*.ts'],
    rules: {
      // What node:test returns is for tests within tests.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: 'test' }] },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // What comes from JSON or a matcher has no type, and a test asserts what it is.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      // Harnesses and fixtures are records of closures.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
