/**
 * The linter's rules: which layer may import which, no `any`, no promise left alone, named exports,
 * file names that say something. Matters of taste are left to the writer. docs/contributing.md
 * explains the layers.
 */
import { fileURLToPath } from 'node:url';
import boundaries from 'eslint-plugin-boundaries';
import tseslint from 'typescript-eslint';

/**
 * Layers that each layer may import besides itself. A layer that is not named here may import
 * nothing and be imported by nobody.
 */
const mayImport = {
  errors: [],
  statistics: [],
  bilingual: [],
  'nearest-name': [],
  'json-fault': [],
  'shown-text': [],
  'hub-name': [],
  'system-memory': [],
  entry: [],
  'fetch-fault': [],
  'process-identity': [],
  files: ['errors'],
  'missing-path': ['errors', 'files', 'hub-name'],
  'hub-cache': ['errors', 'files', 'hub-name', 'missing-path'],
  setup: ['errors'],
  version: ['setup'],
  torch: ['errors', 'setup'],
  sqlite: ['errors', 'setup'],
  metrics: ['bilingual'],
  // The request names the kinds; a kind computes, so that it reads like its paper.
  kinds: ['errors', 'bilingual', 'torch', 'sae'],
  schema: ['errors', 'bilingual', 'metrics', 'kinds'],
  checkpoint: ['errors', 'files', 'torch'],
  lm: ['errors', 'files', 'hub-cache', 'system-memory', 'schema', 'torch', 'checkpoint'],
  sae: [
    ...['errors', 'bilingual', 'missing-path', 'hub-cache', 'schema', 'torch', 'checkpoint'],
    ...['kinds', 'files'],
  ],
  data: ['errors', 'entry', 'files', 'missing-path', 'schema', 'torch', 'checkpoint', 'lm'],
  findings: ['bilingual', 'errors', 'schema'],
  summary: ['bilingual', 'schema', 'kinds', 'findings'],
  evaluation: [
    ...['errors', 'bilingual', 'version', 'setup', 'torch', 'metrics', 'schema', 'checkpoint'],
    ...['lm', 'sae', 'kinds', 'data', 'findings', 'summary', 'missing-path', 'hub-cache'],
    ...['hub-name', 'system-memory', 'files', 'statistics', 'entry'],
  ],
  inspect: [
    ...['errors', 'hub-cache', 'missing-path', 'schema', 'checkpoint', 'lm', 'sae', 'kinds'],
    ...['evaluation', 'files', 'entry'],
  ],
  compute: ['errors', 'entry', 'version', 'schema', 'torch', 'evaluation', 'inspect'],
  report: ['bilingual', 'errors', 'version', 'metrics', 'schema', 'kinds', 'findings', 'summary'],
  client: ['errors', 'schema'],
  page: ['errors', 'schema'],
  cli: [
    ...['errors', 'version', 'setup', 'torch', 'metrics', 'schema', 'checkpoint', 'lm', 'sae'],
    ...['data', 'evaluation', 'inspect', 'compute', 'report', 'client', 'sqlite'],
    ...['server-commands', 'missing-path', 'hub-cache', 'files', 'process-identity', 'fetch-fault'],
    'entry',
  ],
  server: [
    ...['errors', 'hub-cache', 'version', 'setup', 'metrics', 'schema', 'sae', 'kinds', 'data'],
    ...['evaluation', 'inspect', 'compute', 'report', 'sqlite', 'page', 'missing-path'],
    ...['files', 'process-identity', 'fetch-fault', 'entry'],
  ],
  // Only the commands that start the server or its workers import it.
  'server-commands': ['errors', 'cli', 'server'],
  package: [
    ...['errors', 'torch', 'metrics', 'schema', 'checkpoint', 'lm', 'sae', 'data', 'evaluation'],
    ...['compute', 'report'],
  ],
};

const pattern = {
  errors: 'src/errors.ts',
  bilingual: 'src/bilingual.ts',
  'nearest-name': 'src/nearest-name.ts',
  'json-fault': 'src/json-fault.ts',
  'shown-text': 'src/shown-text.ts',
  'missing-path': 'src/missing-path.ts',
  'hub-name': 'src/hub-name.ts',
  'hub-cache': 'src/hub-cache.ts',
  'system-memory': 'src/system-memory.ts',
  entry: 'src/entry.ts',
  'fetch-fault': 'src/fetch-fault.ts',
  'process-identity': 'src/process-identity.ts',
  version: 'src/version.ts',
  'server-commands': 'src/cli/commands/{serve,keys,worker,db}.ts',
  setup: 'src/torch/setup/**',
  kinds: 'src/sae/kinds/**',
  page: 'server/page/**',
  server: 'server/**',
  package: 'src/{index,torch}.ts',
};

// The narrower pattern comes first and wins: the set-up is a layer of its own inside `torch`.
const narrow = ['setup', 'kinds', 'page', 'server-commands'];
const names = [...narrow, ...Object.keys(mayImport).filter((name) => !narrow.includes(name))];
const layers = names.map((category) => ({
  category,
  pattern: pattern[category] ?? `src/${category}/**`,
}));

const oneWayImports = {
  plugins: { boundaries },
  settings: {
    'boundaries/files': layers,
    'boundaries/files-single-match': true,
    'boundaries/dependency-nodes': ['import', 'export', 'dynamic-import', 'require'],
    'boundaries/legacy-warnings': false,
    'import/resolver': { [fileURLToPath(new URL('./eslint-resolver.cjs', import.meta.url))]: {} },
  },
  rules: {
    'boundaries/no-unknown-files': 'error',
    'boundaries/dependencies': [
      'error',
      {
        default: 'disallow',
        policies: [
          { allow: { to: { module: { origin: ['external', 'core'] } } } },
          // Every layer has names that people mistype, and shows text of others.
          { allow: { to: { file: { categories: ['nearest-name', 'json-fault', 'shown-text'] } } } },
          // The table of metrics runs in browsers: it knows tensors by their type alone.
          {
            from: { file: { categories: 'metrics' } },
            allow: { to: { file: { categories: 'torch' } }, dependency: { kind: 'type' } },
          },
          ...Object.entries(mayImport).map(([from, to]) => ({
            from: { file: { categories: from } },
            allow: { to: { file: { categories: { anyOf: [from, ...to] } } } },
          })),
        ],
        message:
          'Imports go one way: {{from.file.categories.[0]}} may not import ' +
          '{{to.file.categories.[0]}} (docs/contributing.md shows the layers).',
      },
    ],
  },
};

/** These folders run in browsers, so they import no Node module. */
const runsInBrowsers = {
  files: [
    'src/errors.ts',
    'src/nearest-name.ts',
    'src/json-fault.ts',
    'src/shown-text.ts',
    'src/schema/**',
    'src/metrics/**',
    'src/statistics/**',
    'src/client/**',
    'src/report/{best,comparable}.ts',
    'src/report/charts/**',
  ],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: [{ group: ['node:*'], message: 'This code runs in browsers too.' }] },
    ],
  },
};

/** Readers of the files that requests name. They open them by `src/files/` alone, which checks. */
const opensByFiles = {
  files: [
    'src/{checkpoint,lm,sae,data,inspect}/**/*.ts',
    'src/evaluation/{request,engine,result,run}/**/*.ts',
    'src/{hub-cache,missing-path}.ts',
  ],
  ignores: [
    // They write, or read what this program wrote.
    'src/checkpoint/{file-bytes,write-file}.ts',
    'src/sae/convert/convert.ts',
    'src/evaluation/run/array-file.ts',
    // The kind of file system, by a file that is held; /proc/cpuinfo; the cache's own refs.
    'src/checkpoint/weights-file.ts',
    'src/evaluation/run/inputs.ts',
    'src/hub-cache.ts',
  ],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        paths: ['node:fs', 'node:fs/promises'].map((name) => ({
          name,
          allowTypeImports: true,
          message: 'Files that requests name are opened by src/files/, which checks them.',
        })),
      },
    ],
  },
};

const speakingFileNames = {
  rules: {
    'file-name': {
      create: (context) => ({
        Program(node) {
          if (
            /(^|\/)(utils?|helpers?|common|misc)(\/|\.[^/]*$)/i.test(
              context.filename.slice(context.cwd.length),
            )
          ) {
            context.report({
              node,
              message: 'Name the file after the idea in it, not utils, helpers, common or misc.',
            });
          }
        },
      }),
    },
  },
};

/** What the page, which has no types, uses of browsers. */
const browserNames = [
  ...['document', 'window', 'location', 'history', 'navigator', 'confirm', 'fetch'],
  ...['localStorage', 'sessionStorage', 'getComputedStyle', 'structuredClone'],
  ...['setTimeout', 'clearTimeout', 'AbortController', 'ResizeObserver', 'XMLSerializer'],
  ...['Blob', 'URL', 'URLSearchParams'],
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/build/**',
      '**/coverage/**',
      'runs/**',
      'node_modules/**',
      'src/torch/generated/**',
      'test/torch/setup/lint-fixture/**',
    ],
  },
  {
    files: ['**/*.{ts,js,mjs,cjs}'],
    plugins: { project: speakingFileNames },
    rules: { 'project/file-name': 'error' },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['src/**/*.ts', 'server/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Export by name.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of strings.' },
      ],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      // Under noUncheckedIndexedAccess an index that a loop bounds is said to be there with `!`.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `unknown` beside named types documents what is usual
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // interfaces written with method signatures may hold plain functions
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // an interface may ask for a promise that one implementation has at once
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  { files: ['src/**/*.ts', 'server/**/*.ts'], ...oneWayImports },
  runsInBrowsers,
  opensByFiles,
  {
    files: ['server/page/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(browserNames.map((name) => [name, 'readonly'])),
    },
    rules: { 'no-undef': 'error', 'no-unused-vars': 'error', eqeqeq: ['error', 'always'] },
  },
  {
    // What a person sees on a terminal is written by these alone.
    files: ['src/cli/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // Tests read what JSON and foreign code give, and assert on it.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
