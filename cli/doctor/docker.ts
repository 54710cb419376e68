import { once } from 'node:events';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { z } from 'zod';
import { fail, ok, reasonOf, warn, type Finding } from './finding.ts';

const LIMIT_MS = 5_000;
const ANSWER_MAX_BYTES = 1024 * 1024;
const API_VERSION_MIN = 1.41;

const versionSchema = z.object({ Version: z.string(), ApiVersion: z.string() });

/** Where the engine listens; undefined for what is neither a unix socket nor tcp. */
export function engineAt(dockerHost: string): RequestOptions | undefined {
  const unix = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (unix !== undefined) return { socketPath: unix };
  const url = URL.parse(dockerHost.replace(/^tcp:/, 'http:'));
  return url && url.protocol === 'http:' ? { host: url.hostname, port: url.port || 2375 } : undefined;
}

async function ask(at: RequestOptions, path: string): Promise<{ status: number; body: unknown }> {
  const asked = request({ ...at, path, signal: AbortSignal.timeout(LIMIT_MS) }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) {
    text += String(part);
    if (text.length > ANSWER_MAX_BYTES) throw new Error('the answer is too long');
  }
  return { status: response.statusCode ?? 0, body: JSON.parse(text) as unknown };
}

async function image(at: RequestOptions, reference: string | undefined): Promise<Finding> {
  if (reference === undefined || reference === '')
    return warn('job image', 'not looked at', 'set LADING_JOB_IMAGE, the id that script/job-image prints');
  const { status } = await ask(at, `/images/${encodeURIComponent(reference)}/json`);
  if (status === 200) return ok('job image', reference);
  return fail(
    'job image',
    `the engine has no ${reference}`,
    'script/job-image, and its id into .env as LADING_JOB_IMAGE',
  );
}

export async function checkDocker(dockerHost: string, reference: string | undefined): Promise<Finding[]> {
  const at = engineAt(dockerHost);
  if (!at) return [fail('engine', `${dockerHost} is no address of an engine`, 'DOCKER_HOST is unix:///… or tcp://…')];
  try {
    const { Version, ApiVersion } = versionSchema.parse((await ask(at, '/version')).body);
    const detail = `Docker ${Version}, API ${ApiVersion}, at ${dockerHost}`;
    const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
    const isNew = major + minor / 100 >= API_VERSION_MIN;
    const reached = isNew
      ? ok('engine', detail)
      : fail('engine', detail, `API ${API_VERSION_MIN} (Docker 20.10) or newer is needed`);
    return [reached, await image(at, reference)];
  } catch (error) {
    const remedy =
      'is it running here, and may this account use it? On a machine without an engine this is as it should be';
    return [fail('engine', `${dockerHost}: ${reasonOf(error)}`, remedy)];
  }
}
