/** The API as a job sees it, for tests: verifies every signed call, keeps sessions, and takes one manifest. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { Client } from 'undici';
import { deriveAttemptKey } from '../contract/attempt-key.ts';
import { openSession } from '../contract/sealed-session.ts';
import {
  finalizeSchema,
  progressCallSchema,
  RELAYED_PATH,
  tokenCallSchema,
  type FinalizeBody,
  type ProgressCall,
} from '../contract/signed-call.ts';
import { sealToken } from '../contract/sealed-token.ts';

export type JobApi = Awaited<ReturnType<typeof startJobApi>>;

export async function startJobApi(options: { masterKey: Buffer; freshToken?: () => Promise<string> }) {
  const { masterKey, freshToken } = options;
  /** Of the one job there is, by path; as they came. */
  const sessions = new Map<string, { sealed: string; bytes: number | undefined; confirmed: number }>();
  const told: ProgressCall[] = [];
  const manifests: FinalizeBody[] = [];
  const bodies: string[] = [];
  /** Answered instead, as long as there are some. */
  const refusals: number[] = [];
  let held: Promise<void> | undefined;
  let isAway = false;

  async function answer(name: string, attemptId: string, body: unknown): Promise<unknown> {
    if (name === 'finalize') {
      manifests.push(finalizeSchema.parse(body));
      sessions.clear();
      return { accepted: true };
    }
    if (name === 'token') {
      const { n } = tokenCallSchema.parse(body);
      const token = (await freshToken?.()) ?? '';
      return { sealed: sealToken(deriveAttemptKey(masterKey, attemptId), { attemptId, n }, token).toString('base64') };
    }
    const call = progressCallSchema.parse(body);
    if (call.keep.length > 0) await held;
    told.push(call);
    for (const path of call.forget) sessions.delete(path);
    for (const { path, sealed, bytes } of call.keep) sessions.set(path, { sealed, bytes, confirmed: 0 });
    for (const { path, bytes } of call.confirmed) {
      const kept = sessions.get(path);
      if (kept) kept.confirmed = bytes;
    }
    return { sessions: call.recall ? [...sessions].map(([path, { sealed }]) => ({ path, sealed })) : [] };
  }

  const server = http.createServer((request, response) => {
    void (async () => {
      const text = Buffer.concat(await request.toArray()).toString();
      bodies.push(text);
      const refusal = isAway ? 503 : refusals.shift();
      if (refusal !== undefined) {
        response.writeHead(refusal, { 'retry-after': '0' }).end();
        return;
      }
      const [, attemptId = '', name = ''] = RELAYED_PATH.exec(request.url ?? '') ?? [];
      const webhook = new Webhook(deriveAttemptKey(masterKey, attemptId));
      const body = webhook.verify(text, request.headers as Record<string, string>);
      response.end(JSON.stringify(await answer(name, attemptId, body)));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const egress = new Client(url);
  return {
    url,
    told,
    manifests,
    bodies,
    sessions,
    refusals,
    /** What the sealed sessions hold, for one who has the job's key. */
    opened: (resumeKey: string) =>
      new Map(
        [...sessions].map(([path, { sealed }]) => [path, openSession(resumeKey, path, Buffer.from(sealed, 'base64'))]),
      ),
    /** No session is kept before `until` has resolved. */
    hold: (until: Promise<void>): void => void (held = until),
    /** From now on it answers that it cannot work. */
    away: (is: boolean): void => void (isAway = is),
    /** Straight to this server, as if through egress. */
    doorFor: (attemptId: string) => ({
      egress,
      egressToken: 'token',
      attemptKey: deriveAttemptKey(masterKey, attemptId),
    }),
    stop: async () => {
      await egress.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}
