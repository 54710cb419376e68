import { z } from 'zod';
import { JobEnd } from '../ending.ts';

export const FOLDER_TYPE = 'application/vnd.google-apps.folder';
/** Every file and folder a job makes carries this app property, with the job's id. */
export const JOB_PROPERTY = 'ladingJob';

const resourceSchema = z.object({
  id: z.string().min(1),
  name: z.string().optional(),
  mimeType: z.string().optional(),
  parents: z.array(z.string()).optional(),
  /** Drive writes 64-bit numbers as strings. */
  size: z.coerce.number().optional(),
  sha256Checksum: z.string().toLowerCase().optional(),
  appProperties: z.record(z.string(), z.string()).optional(),
});
export type DriveResource = z.infer<typeof resourceSchema>;
const listSchema = z.object({ files: z.array(resourceSchema), nextPageToken: z.string().optional() });

function parse<T>(schema: z.ZodType<T>, body: string, what: string): T {
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    throw new JobEnd('drive_unavailable', `${what}: Drive's answer is not what it should be`, { cause });
  }
}

export const parseResource = (body: string, what: string): DriveResource => parse(resourceSchema, body, what);
export const parseList = (body: string, what: string): z.infer<typeof listSchema> => parse(listSchema, body, what);

/** A literal of Drive's search language. */
export const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
export const ofJob = (jobId: string): string =>
  `appProperties has { key=${quoted(JOB_PROPERTY)} and value=${quoted(jobId)} } and trashed = false`;
