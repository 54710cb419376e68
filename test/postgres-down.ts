export default async function postgresDown(): Promise<void> {
  await globalThis.ladingTestPostgres?.stop();
}
