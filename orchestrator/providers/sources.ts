/** What the catalogue says of a course, by provider, and what of it a job is told. `bearer` names a token of ours. */
import { z } from 'zod';
import type { Envelope } from '../../job-image/contract/envelope.ts';
import type { ProviderName } from '../../sql/courses.ts';

const https = z.url({ protocol: /^https$/ });
const tokenName = z.string().min(1).max(64);

const enrolled = { enrolUrl: https.optional(), bearer: tokenName.optional() };
export const manifestSourceSchema = z.strictObject({ manifestUrl: https, ...enrolled });
const hlsSourceSchema = z.strictObject({ courseUrl: https, ...enrolled });
const udemySourceSchema = z.strictObject({
  courseId: z.int().min(1),
  bearer: tokenName,
  apiUrl: https.default('https://www.udemy.com').transform((url) => url.replace(/\/+$/, '')),
});

/** A course's source with the provider it is of. */
const schemas = {
  manifest: manifestSourceSchema.transform((source) => ({ provider: 'manifest' as const, ...source })),
  hls: hlsSourceSchema.transform((source) => ({ provider: 'hls' as const, ...source })),
  udemy: udemySourceSchema.transform((source) => ({ provider: 'udemy' as const, ...source })),
};
export type CourseSource = { [P in ProviderName]: z.infer<(typeof schemas)[P]> }[ProviderName];
export type Tokens = ReadonlyMap<string, string>;

/** The source and its token, or what is wrong with the catalogue. */
export function readSource(
  provider: ProviderName,
  raw: unknown,
  tokens: Tokens,
): { ok: true; source: CourseSource; token: string | undefined } | { ok: false; detail: string } {
  const parsed = schemas[provider].safeParse(raw);
  if (!parsed.success) return { ok: false, detail: z.prettifyError(parsed.error) };
  const source: CourseSource = parsed.data;
  const token = source.bearer === undefined ? undefined : tokens.get(source.bearer);
  if (source.bearer !== undefined && token === undefined)
    return { ok: false, detail: `no provider token named ${source.bearer}` };
  return { ok: true, source, token };
}

/** The part of an envelope that says where the files come from. Throws an Error where the catalogue is wrong. */
export function jobSourceOf(provider: ProviderName, raw: unknown, tokens: Tokens): Envelope['source'] {
  const read = readSource(provider, raw, tokens);
  if (!read.ok) throw new Error(`course source: ${read.detail}`);
  const { source, token } = read;
  const bearer = token === undefined ? {} : { bearer: token };
  if (source.provider === 'manifest') return { provider: 'manifest', manifestUrl: source.manifestUrl, ...bearer };
  if (source.provider === 'hls') return { provider: 'hls', courseUrl: source.courseUrl, ...bearer };
  const { apiUrl, courseId } = source;
  return { provider: 'udemy', apiUrl, courseId, bearer: token ?? '' };
}
