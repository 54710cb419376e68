/** A course provider over HTTPS: manifests, files, enrolments. */
import { timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { isOutside } from '../connection-ends.ts';
import { makeFaults } from '../faults.ts';
import { addFaultRoutes, faultsMiddleware } from '../faults-over-http.ts';
import { makeRequestCounts } from '../request-counts.ts';
import type { Log } from '../run.ts';
import { sendBytes } from '../send-bytes.ts';
import { manifestOf, type Course } from './course.ts';
import { readDirectoryCourse } from './directory-course.ts';
import type { HashCache } from './hash-cache.ts';
import { addHlsRoutes } from './hls-courses.ts';
import { ALWAYS_503, DENIED, makeSpecialCourses, SLOW } from './special-courses.ts';
import { addUdemyRoutes } from './udemy.ts';

export type ProviderOptions = {
  coursesDir: string | undefined;
  hashes: HashCache;
  /** Bearer token that every call under /courses/ must carry; undefined: none. */
  token: string | undefined;
  slow: { bytes: number; bytesPerSecond: number };
  log: Log;
};

const COURSES_MAX = 1_000;

const problem = (ctx: Context, status: number, error: string): void => {
  ctx.status = status;
  ctx.body = { error };
};

const requireToken =
  (token: string | undefined): Middleware =>
  async (ctx, next) => {
    const given = /^Bearer (.+)$/i.exec(ctx.get('Authorization'))?.[1];
    if (token === undefined) await next();
    else if (given === undefined) {
      ctx.set('WWW-Authenticate', 'Bearer');
      problem(ctx, 401, 'token_missing');
    } else if (given.length !== token.length || !timingSafeEqual(Buffer.from(given), Buffer.from(token)))
      problem(ctx, 403, 'token_refused');
    else await next();
  };

/** A whole number above 0 from the query, else the default. */
const queryNumber = (ctx: Context, name: string, byDefault: number): number => {
  const value = Number(ctx.query[name]);
  return Number.isInteger(value) && value > 0 ? value : byDefault;
};

export function makeProvider({ coursesDir, hashes, token, slow, log }: ProviderOptions): RequestListener {
  const special = makeSpecialCourses();
  const faults = makeFaults();
  const counts = makeRequestCounts();
  const enrolments = new Set<string>();
  const reading = new Map<string, Promise<Course | undefined>>();
  const read = new Map<string, Course>();

  const courseOf = async (ctx: Context): Promise<Course | undefined> => {
    const id = String(ctx['params'].id);
    const found = special(id, queryNumber(ctx, 'bytes', slow.bytes));
    if (found || coursesDir === undefined) return found;
    // A manifest looks at the disk; its files are then served as it described them.
    const isManifest = ctx.path.endsWith('/manifest.json');
    const known = isManifest ? reading.get(id) : (reading.get(id) ?? read.get(id));
    if (known) return await known;
    const course = readDirectoryCourse(coursesDir, id, hashes).finally(() => reading.delete(id));
    reading.set(id, course);
    const answer = await course;
    if (answer && read.size < COURSES_MAX) read.set(id, answer);
    return answer;
  };

  const router = new Router();
  addFaultRoutes(router, faults);
  counts.addRoutes(router);
  router.use(['/courses', '/api-2.0'], requireToken(token));
  addHlsRoutes(router);
  addUdemyRoutes(router, (host) => `https://${host}`);
  // Sent on: `to` is an address, or a number of further redirects.
  router.get('redirect', '/redirect', (ctx) => {
    const to = String(ctx.query['to']);
    const left = Number(ctx.query['times'] ?? 0);
    ctx.redirect(left > 0 ? `/redirect?times=${left - 1}&to=${encodeURIComponent(to)}` : to);
  });
  router.get('manifest', '/courses/:id/manifest.json', async (ctx) => {
    if (ctx['params'].id === ALWAYS_503) {
      problem(ctx, 503, 'away');
      return;
    }
    const course = await courseOf(ctx);
    if (course) ctx.body = manifestOf(course, ctx.search);
    else problem(ctx, 404, 'course_unknown');
  });
  router.get('file', '/courses/:id/files/*path', async (ctx) => {
    const course = await courseOf(ctx);
    const path = pathBelow(ctx.path);
    const file = course?.files.find((each) => each.path === path);
    if (!file) {
      problem(ctx, 404, 'file_unknown');
      return;
    }
    const pace = { bytesPerSecond: queryNumber(ctx, 'bytesPerSecond', slow.bytesPerSecond) };
    const { bytes: size, sha256, contentType, open } = file;
    // The tag is of what is sent, not of what the manifest claims: bad-checksum stays one copy throughout.
    sendBytes(ctx, { size, contentType, etag: `"${sha256}"`, open }, course?.id === SLOW ? pace : undefined);
  });
  router.post('enrolment', '/courses/:id/enrolments', async (ctx) => {
    const course = await courseOf(ctx);
    if (!course) problem(ctx, 404, 'course_unknown');
    else if (course.id === DENIED) problem(ctx, 403, 'enrolment_denied');
    else {
      ctx.status = enrolments.has(course.id) ? 200 : 201;
      enrolments.add(course.id);
      ctx.body = { enrolled: true };
    }
  });

  const app = new Koa();
  app.on('error', (error: unknown) => {
    if (isOutside(error)) log.debug({ err: error }, 'connection ended early');
    else log.error({ err: error }, 'request failed');
  });
  app.use(counts.middleware);
  app.use(
    faultsMiddleware(faults, (ctx, status, { reason, message }) => problem(ctx, status, reason ?? message ?? 'fault')),
  );
  app.use(router.routes());
  return app.callback();
}

/** The decoded path after `/courses/:id/files/`, NFC; undefined where it is badly encoded. */
function pathBelow(path: string): string | undefined {
  try {
    return decodeURIComponent(path.split('/').slice(4).join('/')).normalize('NFC');
  } catch {
    return undefined;
  }
}
