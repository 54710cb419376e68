/**
 * What a Udemy curriculum says of a course's files (facts of the fields: see docs/decisions/). Fails closed: an asset is
 * taken only where it says in so many words that it is not protected, and where a plain file of it is offered.
 */
import { z } from 'zod';
import { distinctNames, nameFrom } from '../contract/file-name.ts';
import { JobEnd } from '../ending.ts';
import { plainHttps } from './get.ts';

const sourceSchema = z.looseObject({ type: z.string(), src: z.string().max(4_096), label: z.string().optional() });
const assetSchema = z.looseObject({
  id: z.int(),
  asset_type: z.string(),
  filename: z.string().nullish(),
  course_is_drmed: z.literal(false),
  media_license_token: z.union([z.null(), z.literal('')]),
  is_drmed: z.literal(false).optional(),
  drm_protected: z.literal(false).optional(),
  media_sources: z.array(sourceSchema).max(100).nullish(),
  download_urls: z.record(z.string(), z.array(z.looseObject({ file: z.string().max(4_096) })).max(100)).nullish(),
  body: z
    .string()
    .max(4 * 1024 * 1024)
    .nullish(),
});
const entrySchema = z.discriminatedUnion('_class', [
  z.looseObject({ _class: z.literal('chapter'), title: z.string().max(1_000) }),
  z.looseObject({
    _class: z.literal('lecture'),
    title: z.string().max(1_000),
    asset: z.unknown(),
    supplementary_assets: z.array(z.unknown()).max(100).optional(),
  }),
  // No files of their own.
  z.looseObject({ _class: z.literal('quiz') }),
  z.looseObject({ _class: z.literal('practice') }),
]);
export type CurriculumEntry = z.infer<typeof entrySchema>;
export const pageSchema = z.object({
  results: z.array(entrySchema).max(10_000),
  next: z.string().max(4_096).nullable(),
});

export type UdemyFile = {
  readonly path: string;
  readonly contentType: string;
  /** Names the asset and not its address, which is signed anew each time. */
  readonly version: string;
  readonly content: { readonly url: URL } | { readonly text: string };
};
type Found = { ending: string; contentType: string; content: UdemyFile['content'] };

const refused = (what: string, why: string): JobEnd => new JobEnd('protected_content', `${what}: ${why}`);

const height = (label: string | undefined): number => Number(/^\d{1,5}/.exec(label ?? '')?.[0] ?? 0);
const endingOf = (name: string): string => /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0].toLowerCase() ?? '';

/** The one file of an asset. Throws JobEnd protected_content for everything that is not plainly unprotected. */
function fileOf(raw: unknown, what: string): { id: number; found: Found; filename: string | undefined } {
  const parsed = assetSchema.safeParse(raw);
  if (!parsed.success) throw refused(what, 'does not say that it is unprotected');
  const { id, asset_type: type, media_sources: sources, download_urls: downloads, body, filename } = parsed.data;
  const url = (text: string): URL => {
    const plain = plainHttps(text);
    if (plain === undefined) throw refused(what, 'has no plain https address');
    return plain;
  };
  const [video] = (sources ?? [])
    .filter((source) => source.type === 'video/mp4')
    .toSorted((a, b) => height(b.label) - height(a.label));
  const [download] = Object.values(downloads ?? {}).flat();
  const named = filename ?? undefined;
  if (type === 'Article' && typeof body === 'string')
    return {
      id,
      filename: named,
      found: { ending: '.html', contentType: 'text/html; charset=utf-8', content: { text: body } },
    };
  if (type === 'Video' && video)
    return {
      id,
      filename: named,
      found: { ending: '.mp4', contentType: 'video/mp4', content: { url: url(video.src) } },
    };
  if (type !== 'Video' && download) {
    const content = { url: url(download.file) };
    return {
      id,
      filename: named,
      found: { ending: endingOf(filename ?? ''), contentType: 'application/octet-stream', content },
    };
  }
  throw refused(what, `${type} offers no plain file`);
}

/** Files of a whole curriculum, in folders by section, numbered as the course is. Throws JobEnd. */
export function filesOf(entries: readonly CurriculumEntry[]): UdemyFile[] {
  type Item = { section: number; title: string; ending: string; file: Omit<UdemyFile, 'path'> };
  const sections: string[] = [];
  const items: Item[] = [];
  let lectures = 0;
  for (const entry of entries) {
    const { _class: kind } = entry;
    if (kind === 'chapter') sections.push(entry.title);
    if (kind !== 'lecture') continue;
    lectures += 1;
    const number = String(lectures).padStart(3, '0');
    const what = `lecture ${number}`;
    // Lectures before the first section have the course's own folder.
    const section = sections.length - 1;
    const add = (raw: unknown, titleOf: (filename: string | undefined) => string): void => {
      const { id, found, filename } = fileOf(raw, what);
      const { ending, contentType, content } = found;
      const version = `udemy-asset-${id}`;
      items.push({ section, title: titleOf(filename), ending, file: { contentType, version, content } });
    };
    add(entry.asset, () => `${number} ${entry.title}`);
    for (const extra of entry.supplementary_assets ?? [])
      add(extra, (filename) => `${number} ${filename?.replace(/\.[A-Za-z0-9]{1,8}$/, '') ?? entry.title}`);
  }
  const folders = sections.map((title, index) => nameFrom(`${String(index + 1).padStart(2, '0')} ${title}`));
  return [-1, ...sections.keys()].flatMap((section) => {
    const here = items.filter((item) => item.section === section);
    const names = distinctNames(here);
    return here.map(({ file }, index) => {
      const name = names[index] ?? 'untitled';
      return { ...file, path: section < 0 ? name : `${folders[section]}/${name}` };
    });
  });
}
