/** The console as a browser without scripts sees it: a cookie, pages, forms. */
import type { TestApi } from '../../test-setup.ts';

/** That of the test's own page. */
export const OWN_ORIGIN = 'https://api.example';

export type Visitor = {
  cookie: string;
  get: (path: string) => Promise<{ status: number; text: string; headers: Headers }>;
  /** With the token of the session's forms, unless `fields` have another; the headers of a form of ours. */
  post: (path: string, fields?: Record<string, string>, headers?: Record<string, string>) => Promise<Response>;
};

export const logIn = (api: TestApi, key: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${api.url}/console/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: OWN_ORIGIN, Accept: 'text/html', ...headers },
    body: new URLSearchParams({ key }),
  });

export async function visit(api: TestApi, key: string): Promise<Visitor> {
  const opened = await logIn(api, key);
  const cookie = (opened.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  if (opened.status !== 303 || cookie === '') throw new Error(`not logged in: ${opened.status}`);
  const get: Visitor['get'] = async (path) => {
    const response = await fetch(api.url + path, {
      redirect: 'manual',
      headers: { Cookie: cookie, Accept: 'text/html' },
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  const token = /name="token" value="([^"]+)"/.exec((await get('/console')).text)?.[1] ?? '';
  return {
    cookie,
    get,
    post: (path, fields = {}, headers = {}) =>
      fetch(api.url + path, {
        method: 'POST',
        redirect: 'manual',
        headers: { Cookie: cookie, Origin: OWN_ORIGIN, Accept: 'text/html', ...headers },
        body: new URLSearchParams({ token, ...fields }),
      }),
  };
}
