import { z } from 'zod';
import { pageOfSessions } from '../../sql/console-sessions.ts';
import { pageOfReads } from '../../sql/reads.ts';
import { operation } from '../contract/operation.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, isoOrNull, nextCursor, PAGE_DEFAULT, paging, UUID } from './fields.ts';

const READ_ID = /^\d{1,15}$/;
const key = z.strictObject({ prefix: z.string(), name: z.string(), role: z.string() });

export const listReads = operation({
  method: 'get',
  path: '/v1/reads',
  summary: 'Who read orders, jobs, logs and payments, the newest first; once an hour for each thing and reader',
  roles: ['operator', 'auditor'],
  query: z.strictObject({
    ...paging,
    key: z
      .string()
      .regex(/^[a-z2-7]{8}$/)
      .optional()
      .describe('The prefix of one key.'),
  }),
  answer: z.strictObject({
    reads: z.array(
      z.strictObject({
        at: instant,
        key,
        via: z.enum(['api', 'console']),
        requestId: z.uuid(),
        subject: z.string().describe('What was asked for, as a path of this API.'),
      }),
    ),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query: { limit = PAGE_DEFAULT, cursor, key: prefix } }) => {
    const after = openCursor(cursor, READ_ID);
    const page = await pageOfReads(pool, prefix, after && Number(after.id), limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      reads: page.map((read) => ({
        at: iso(read.at),
        key: { prefix: read.prefix, name: read.name, role: read.role },
        via: read.in_console ? ('console' as const) : ('api' as const),
        requestId: read.request_id,
        subject: read.subject,
      })),
      nextCursor: last ? cursorOf(last.at.getTime() * 1_000, String(last.id)) : null,
    };
  },
});

export const listSessions = operation({
  method: 'get',
  path: '/v1/sessions',
  summary: 'Who logged in to the console, the newest first',
  roles: ['operator', 'auditor'],
  query: z.strictObject(paging),
  answer: z.strictObject({
    sessions: z.array(
      z.strictObject({
        id: z.uuid(),
        key,
        beganAt: instant,
        lastUsedAt: instant,
        endsAt: instant,
        endedAt: instant.nullable().describe('Null: it may still be open, if it was used within the last hour.'),
      }),
    ),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query: { limit = PAGE_DEFAULT, cursor } }) => {
    const page = await pageOfSessions(pool, openCursor(cursor, UUID), limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      sessions: page.map((session) => ({
        id: session.id,
        key: { prefix: session.prefix, name: session.name, role: session.role },
        beganAt: iso(session.created_at),
        lastUsedAt: iso(session.last_used_at),
        endsAt: iso(session.ends_at),
        endedAt: isoOrNull(session.ended_at),
      })),
      nextCursor: last ? cursorOf(last.micros, last.id) : null,
    };
  },
});
