export type Finding = { check: string; status: 'ok' | 'warn' | 'fail'; detail: string; remedy: string | null };

export const ok = (check: string, detail: string): Finding => ({ check, status: 'ok', detail, remedy: null });
export const warn = (check: string, detail: string, remedy: string): Finding => ({
  check,
  status: 'warn',
  detail,
  remedy,
});
export const fail = (check: string, detail: string, remedy: string): Finding => ({
  check,
  status: 'fail',
  detail,
  remedy,
});

export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `${error.message || error.name}${code}`;
};

/** Leases, deadlines and signatures bear seconds; SePay's signatures five minutes. */
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 60_000;

/** `skewMs`: another's clock minus ours. */
export function clockFinding(check: string, skewMs: number): Finding {
  const detail = `${(skewMs / 1000).toFixed(1)} s against this machine`;
  const remedy = 'let both clocks be set by NTP: timedatectl set-ntp true';
  if (Math.abs(skewMs) >= SKEW_FAIL_MS) return fail(check, detail, remedy);
  return Math.abs(skewMs) >= SKEW_WARN_MS ? warn(check, detail, remedy) : ok(check, detail);
}
