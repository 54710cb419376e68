/** Whether a container that is asked for is one that a profile makes, and no other. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { containerSpec, LABEL, type ContainerSpec, type ContainerUse } from '../orchestrator/container-spec.ts';
import type { Profiles } from '../orchestrator/profiles.ts';
import type { Refusal } from './call.ts';

export type Mould = {
  installation: string;
  engine: string;
  profiles: Profiles;
  /** The image's id, as the engine has it. */
  image: string;
  egressDir: string;
};

/** Ids, names of profiles, and the name of an orchestrator, which has a slash. */
const word = z.string().regex(/^[\w./:-]{1,128}$/);
const labelsSchema = z.object({
  [LABEL.profile]: word,
  [LABEL.job]: word.optional(),
  [LABEL.attempt]: word.optional(),
  [LABEL.attemptNumber]: z
    .string()
    .regex(/^\d{1,4}$/)
    .optional(),
  [LABEL.standby]: word.optional(),
});
const bodySchema = z.object({ Labels: labelsSchema });

function useOf(labels: z.output<typeof labelsSchema>, name: string, installation: string): ContainerUse | undefined {
  const standbyOf = labels[LABEL.standby];
  if (standbyOf !== undefined) return { standbyOf, id: name.slice(`lading-${installation}-standby-`.length) };
  const [jobId, attemptId, number] = [labels[LABEL.job], labels[LABEL.attempt], labels[LABEL.attemptNumber]];
  if (jobId === undefined || attemptId === undefined || number === undefined) return undefined;
  return { jobId, attemptId, attemptNumber: Number(number) };
}

/**
 * The container as we would make it: the engine gets this, never what was sent. Refused where what was sent differs from
 * it in anything.
 */
export function mould(name: string, sent: unknown, allowed: Mould): ContainerSpec['body'] | Refusal {
  const read = bodySchema.safeParse(sent);
  if (!read.success) return { refused: 'create_body' };
  const { Labels: labels } = read.data;
  const limits = allowed.profiles.get(labels[LABEL.profile]);
  if (!limits) return { refused: 'profile' };
  const use = useOf(labels, name, allowed.installation);
  if (!use) return { refused: 'create_body' };
  const spec = containerSpec({ ...allowed, use, profile: labels[LABEL.profile], limits });
  if (spec.name !== name) return { refused: 'name' };
  return isDeepStrictEqual(JSON.parse(JSON.stringify(spec.body)), sent) ? spec.body : { refused: 'create_body' };
}
