/** Loaded into a process with --import: its wall clock is off by LADING_TEST_CLOCK_OFFSET_MS, its timers are right. */
const offsetMs = Number(process.env['LADING_TEST_CLOCK_OFFSET_MS']);
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (real, given: unknown[]) => Reflect.construct(real, given.length === 0 ? [real.now() + offsetMs] : given),
  get: (real, key) => (key === 'now' ? () => real.now() + offsetMs : Reflect.get(real, key)),
});
