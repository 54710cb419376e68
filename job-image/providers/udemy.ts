/**
 * Provider `udemy`: the files of a course for which the catalogue holds a rights record, with the operator's own token.
 * Tested against a stand-in built from the documented fields; never run against the live service.
 */
import type { Dispatcher } from 'undici';
import { FILES_MAX } from '../contract/signed-call.ts';
import { JobEnd } from '../ending.ts';
import { headerOf } from '../http-call.ts';
import type { RetryLimits } from '../retry.ts';
import { getDocument, makeGet, parseJson } from './get.ts';
import { isStreamContainer } from './manifest-format.ts';
import { PROVIDER_RETRY } from './manifest.ts';
import type { Provider } from './provider.ts';
import { readOn } from './read-on.ts';
import { filesOf, pageSchema, type CurriculumEntry } from './udemy-curriculum.ts';

const PAGE_MAX_BYTES = 8 * 1024 * 1024;
const PAGES_MAX = 100;
const PAGE_ENTRIES = 200;
const FIELDS = {
  'fields[asset]':
    'asset_type,filename,course_is_drmed,media_license_token,media_sources,download_urls,body,is_drmed,drm_protected',
  'fields[chapter]': 'title',
  'fields[lecture]': 'title,asset,supplementary_assets',
};

export function makeUdemyProvider(options: {
  https: Dispatcher;
  /** Without a trailing slash: https://www.udemy.com in production. */
  apiUrl: string;
  courseId: number;
  bearer: string;
  retry?: RetryLimits;
}): Provider & Required<Pick<Provider, 'streams'>> {
  const { https, apiUrl, courseId, bearer, retry = PROVIDER_RETRY } = options;
  const { origin } = new URL(apiUrl);
  const get = makeGet({ https, origin, bearer });

  async function curriculum(signal: AbortSignal): Promise<CurriculumEntry[]> {
    const entries: CurriculumEntry[] = [];
    const query = new URLSearchParams({ page_size: String(PAGE_ENTRIES), ...FIELDS });
    let url = new URL(`${apiUrl}/api-2.0/courses/${courseId}/subscriber-curriculum-items/?${query.toString()}`);
    for (let page = 1; page <= PAGES_MAX; page += 1) {
      const limits = { what: 'curriculum', maxBytes: PAGE_MAX_BYTES, retry, headers: { accept: 'application/json' } };
      const read = pageSchema.safeParse(parseJson(await getDocument(get, url, limits, signal), 'curriculum'));
      // A kind of entry that nobody knows may be a protected one.
      if (!read.success) throw new JobEnd('protected_content', 'curriculum: has fields of unknown meaning');
      entries.push(...read.data.results);
      if (read.data.next === null) return entries;
      const next = URL.parse(read.data.next, url.href);
      if (next?.origin !== origin) throw new JobEnd('manifest_invalid', 'curriculum: goes on at another place');
      url = next;
    }
    throw new JobEnd('manifest_invalid', `curriculum: more than ${PAGES_MAX} pages`);
  }

  async function* contentOf(url: URL, what: string, contentType: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    const part = { url, what, offset: 0, length: undefined, retry, contentType };
    try {
      yield* readOn(get, part, signal, (response) => {
        if (isStreamContainer('', headerOf(response, 'content-type')))
          throw new JobEnd('protected_content', `${what} is a stream whose protection is unknown`);
      });
    } catch (error) {
      // A signed address that has expired answers like one that is denied; the next attempt gets new ones.
      if (!(error instanceof JobEnd) || error.reason !== 'provider_denied' || error.cause !== undefined) throw error;
      throw new JobEnd('provider_unavailable', `${error.message}, perhaps an expired address`, { cause: error });
    }
  }

  return {
    retry,
    list: () => Promise.resolve([]),
    open: ({ path }) => Promise.reject(new TypeError(`${path} was not listed`)),
    streams: async (signal) => {
      const files = filesOf(await curriculum(signal));
      if (files.length === 0) throw new JobEnd('manifest_invalid', 'curriculum: has no files');
      if (files.length > FILES_MAX) throw new JobEnd('manifest_invalid', `curriculum: more than ${FILES_MAX} files`);
      return files.map(({ path, contentType, version, content }) => ({
        path,
        contentType,
        version,
        open: (stop) =>
          'text' in content
            ? (async function* () {
                yield Buffer.from(content.text, 'utf8');
              })()
            : contentOf(content.url, JSON.stringify(path), contentType, stop),
      }));
    },
  };
}
