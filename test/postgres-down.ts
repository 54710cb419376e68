export default async function postgresDown(): Promise<void> {
  const server = globalThis.ladingTestPostgres;
  globalThis.ladingTestPostgres = undefined;
  await server?.stop();
}
