const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Node strips the types itself; without this key babel-jest would take over.
  transform: {},
  injectGlobals: false,
  modulePathIgnorePatterns: ['<rootDir>/.lading/'],
};
const tests = (kind) => [`<rootDir>/**/*.${kind}.test.ts`];

/** Which real parts a test file needs stands in its name: x.test.ts none, x.pg.test.ts Postgres, x.docker.test.ts an engine. */
export default {
  projects: [
    {
      ...base,
      displayName: 'pure',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.(pg|docker)\\.test\\.ts$'],
    },
    {
      ...base,
      displayName: 'pg',
      testMatch: tests('pg'),
      globalSetup: '<rootDir>/test/postgres-up.ts',
      globalTeardown: '<rootDir>/test/postgres-down.ts',
    },
    {
      ...base,
      displayName: 'docker',
      testMatch: tests('docker'),
      // What floods the machine would disturb what runs beside it: only with ./script/test --all.
      testPathIgnorePatterns: [
        '/node_modules/',
        ...(process.env['LADING_TEST_ALL'] ? [] : ['\\.long\\.docker\\.test\\.ts$']),
      ],
      globalSetup: '<rootDir>/test/engine-up.ts',
      globalTeardown: '<rootDir>/test/postgres-down.ts',
    },
  ],
};
