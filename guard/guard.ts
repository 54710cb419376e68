import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from './config.ts';
import type { Metrics } from './metrics.ts';
import { makeOwned } from './owned.ts';
import { makeGuardServer } from './server.ts';
import { makeUpstream, UpstreamError } from './upstream.ts';

const versionSchema = z.object({ ApiVersion: z.string().regex(/^1\.\d{1,3}$/) });
const imageSchema = z.object({ Id: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** A guard of the engine as it is now: which API it speaks and which image the jobs run. Rejects with UpstreamError. */
export async function makeGuard(config: Config, deps: { log: Logger; metrics: Metrics }): Promise<Server> {
  const { installation, engine, jobImage, egressDir, profiles } = config;
  const upstream = makeUpstream(config.enginePath);
  const { ApiVersion: apiVersion } = versionSchema.parse((await upstream.ask('/version')).json);
  const found = await upstream.ask(`/v${apiVersion}/images/${encodeURIComponent(jobImage)}/json`);
  const image = imageSchema.safeParse(found.json);
  if (!image.success) throw new UpstreamError(`the engine has no image ${jobImage}`);
  return makeGuardServer({
    ...deps,
    upstream,
    owned: makeOwned(upstream, { installation, engine, apiVersion }),
    rules: { installation, image: jobImage },
    allowed: { installation, engine, profiles, image: image.data.Id, egressDir },
  });
}
