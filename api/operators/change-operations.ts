import { z } from 'zod';
import { pageOfChanges } from '../../sql/changes.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, nextCursor, PAGE_DEFAULT, paging } from './fields.ts';
import { operation } from '../contract/operation.ts';

const CHANGE_ID = /^\d{1,15}$/;

export const showChanges = operation({
  method: 'get',
  path: '/v1/changes',
  summary: 'What was changed and by whom, the newest first',
  roles: ['operator', 'auditor'],
  query: z.strictObject(paging),
  answer: z.strictObject({
    changes: z.array(
      z.strictObject({
        at: instant,
        by: z.string().describe("The name of a key, or of a person at the owner's terminal."),
        keyPrefix: z.string().nullable(),
        requestId: z.uuid().nullable(),
        action: z.string(),
        subject: z.string(),
        before: z.json(),
        after: z.json(),
      }),
    ),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query }) => {
    const limit = query.limit ?? PAGE_DEFAULT;
    const after = openCursor(query.cursor, CHANGE_ID);
    const page = await pageOfChanges(pool, after && Number(after.id), limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      changes: page.map((change) => ({
        at: iso(change.at),
        by: change.name,
        keyPrefix: change.prefix,
        requestId: change.request_id,
        action: change.action,
        subject: change.subject,
        before: change.before as z.core.util.JSONType,
        after: change.after as z.core.util.JSONType,
      })),
      nextCursor: last ? cursorOf(last.at.getTime() * 1_000, String(last.id)) : null,
    };
  },
});
