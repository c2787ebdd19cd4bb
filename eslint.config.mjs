import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Import borders of the house, with the reason as the message. */
const border = (files, patterns) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns }],
  },
});
const never = (group, message) => ({ group, message, allowTypeImports: true });

export default tseslint.config(
  { ignores: ['.cache/', 'dist/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "CallExpression[callee.property.name=/^(exec|execSync)$/][callee.object.name='childProcess']",
          message: 'No shell: execFile or spawn with an absolute path and an argument array.',
        },
        {
          selector: "Property[key.name='shell'][value.value=true]",
          message: 'No shell: an argument array.',
        },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['describe', 'it', 'test', 'suite'], package: 'node:test' },
          ],
        },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  border(
    ['routes/**/*.ts'],
    [
      never(
        ['knex', '**/store.js', '**/*-store.js'],
        'A route asks its service; only stores name tables.',
      ),
      never(
        ['node:fs', 'node:fs/promises', 'node:child_process'],
        'The web side writes no files and starts no programs.',
      ),
      never(['**/privileged/**'], 'Only the client speaks with the privileged side.'),
    ],
  ),
  border(
    ['lib/*/service.ts'],
    [
      never(['express', 'nunjucks'], 'A service knows no pages.'),
      never(
        ['node:fs', 'node:fs/promises', 'node:child_process'],
        'The web side writes no files and starts no programs.',
      ),
      never(['**/privileged/**'], 'Only the client speaks with the privileged side.'),
    ],
  ),
  border(
    ['lib/*/store.ts'],
    [
      never(
        ['express', 'nunjucks', 'node:*', '**/service.js', '**/privileged/**'],
        'A store holds Knex queries and nothing else.',
      ),
    ],
  ),
  border(
    ['lib/*/schema.ts', 'lib/*/section.ts', 'lib/sections/**/*.ts'],
    [
      never(
        [
          'express',
          'nunjucks',
          'knex',
          'node:fs',
          'node:fs/promises',
          'node:child_process',
          '**/store.js',
          '**/service.js',
        ],
        'Both sides of the border use this: it must stay pure.',
      ),
    ],
  ),
  border(
    ['lib/privileged/**/*.ts'],
    [
      never(
        [
          'express',
          'nunjucks',
          'knex',
          '**/store.js',
          '**/service.js',
          '**/routes/**',
          '**/web/**',
        ],
        'The privileged side knows settings, sections and the system, nothing of pages or databases.',
      ),
    ],
  ),
  border(
    ['migrations/**/*.ts'],
    [never(['../lib/**', '../routes/**'], 'A migration must not depend on code that will change.')],
  ),
  {
    files: ['**/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: {
        console: 'readonly',
        process: 'readonly',
        setTimeout: 'readonly',
        URL: 'readonly',
      },
    },
  },
  {
    files: ['**/public/**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      sourceType: 'script',
      parserOptions: { projectService: false },
      globals: { document: 'readonly', window: 'readonly' },
    },
  },
  {
    files: ['**/*.mjs', 'bench/**/*.ts', 'bin/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
);
