/** The SQLSTATEs we decide on, by name. Codes: PostgreSQL, Appendix A; LD… are raised by our own functions. */
export const SQLSTATE = {
  uniqueViolation: '23505',
  foreignKeyViolation: '23503',
  illegalMove: 'LD001',
  readNotAnnounced: 'LD002',
  appendOnly: 'LD003',
  notAnOperator: 'LD004',
} as const;

/** The SQLSTATE of a database error, or undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
