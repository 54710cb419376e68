import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { drive as driveClient, type drive_v3 } from '@googleapis/drive';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { JWT } from 'google-auth-library';
import { DRIVE_ID, signAssertion, startGoogle, type GoogleForTest } from './start-google.ts';

const FOLDER = 'application/vnd.google-apps.folder';
let google: GoogleForTest;
beforeAll(async () => {
  google = await startGoogle();
});
afterAll(async () => await google.stop());

const asJson = (method: string, body: object) => ({
  method,
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
});
const reasonOf = (body: unknown) => (body as { error: { errors: { reason: string }[] } }).error.errors[0]?.reason;
const newFolder = async (name: string): Promise<string> => {
  const made = await google.json(
    '/drive/v3/files?supportsAllDrives=true',
    asJson('POST', { name, mimeType: FOLDER, parents: [DRIVE_ID] }),
  );
  return (made.body as { id: string }).id;
};

const askToken = async (assertion: string) =>
  await google.json('/token', {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
  });

describe('OAuth', () => {
  test('a signed assertion buys a token for an hour', async () => {
    const { status, body } = await askToken(signAssertion(google.account, { aud: `${google.url}/token` }));
    expect([status, body]).toEqual([
      200,
      { access_token: expect.stringMatching(/^ya29\./), expires_in: 3600, token_type: 'Bearer' },
    ]);
  });

  test.each([
    ['of a stranger', { iss: 'stranger@example.org' }, 'invalid_grant'],
    ['for someone else', { aud: 'https://example.org/token' }, 'invalid_grant'],
    ['that is over', { iat: 1_000_000, exp: 1_003_600 }, 'invalid_grant'],
    ['that lasts too long', { exp: Math.floor(Date.now() / 1_000) + 7_200 }, 'invalid_grant'],
    ['without a scope', { scope: '' }, 'invalid_scope'],
  ])('an assertion %s is refused', async (_, claims, error) => {
    const { status, body } = await askToken(signAssertion(google.account, claims));
    expect([status, body]).toMatchObject([400, { error }]);
  });

  test('a changed assertion is refused', async () => {
    const [head, , signature] = signAssertion(google.account, {}).split('.');
    const [, other] = signAssertion(google.account, { scope: 'https://www.googleapis.com/auth/drive.file' }).split('.');
    const { body } = await askToken(`${head}.${other}.${signature}`);
    expect(body).toMatchObject({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
  });

  test('Drive does not answer without a token that it knows', async () => {
    const { status, body } = await google.json('/drive/v3/about?fields=user', {
      headers: { Authorization: 'Bearer ya29.unknown' },
    });
    expect([status, reasonOf(body)]).toEqual([401, 'authError']);
  });
});

test("Google's own client logs in, makes a folder, uploads, finds, reads and shares", async () => {
  setDefaultCACertificates([...getCACertificates('default'), google.ca]);
  const { client_email: email, private_key: key } = google.account;
  const auth = new JWT({ email, key, scopes: ['https://www.googleapis.com/auth/drive'] });
  auth.transporter.interceptors.request.add({
    resolved: async (config) => {
      if (String(config.url).startsWith('https://oauth2.googleapis.com/')) config.url = new URL(`${google.url}/token`);
      return config;
    },
  });
  const rootUrl = `${google.url}/`;
  const client: drive_v3.Drive = driveClient({ version: 'v3', auth, rootUrl });
  const supportsAllDrives = true;

  const folder = await client.files.create({
    requestBody: { name: 'Đơn hàng', mimeType: FOLDER, parents: [DRIVE_ID], appProperties: { order: 'A1' } },
    supportsAllDrives,
  });
  const content = Buffer.from('xin chào');
  const file = await client.files.create(
    {
      requestBody: { name: "it's.txt", parents: [folder.data.id ?? ''] },
      media: { mimeType: 'text/plain', body: Readable.from([content]) },
      fields: 'id,size,sha256Checksum,mimeType',
      supportsAllDrives,
    },
    { rootUrl },
  );
  expect(file.data).toEqual({
    id: expect.any(String),
    size: '9',
    mimeType: 'text/plain',
    sha256Checksum: createHash('sha256').update(content).digest('hex'),
  });

  const found = await client.files.list({
    q: String.raw`'${folder.data.id}' in parents and name = 'it\'s.txt' and trashed = false`,
    supportsAllDrives,
    includeItemsFromAllDrives: true,
  });
  expect(found.data.files?.map(({ id }) => id)).toEqual([file.data.id]);
  const byOrder = await client.files.list({
    q: "appProperties has { key='order' and value='A1' }",
    supportsAllDrives,
    includeItemsFromAllDrives: true,
  });
  expect(byOrder.data.files?.map(({ id }) => id)).toEqual([folder.data.id]);

  const read = await client.files.get(
    { fileId: file.data.id ?? '', alt: 'media', supportsAllDrives },
    { responseType: 'text' },
  );
  expect(read.data).toBe('xin chào');
  const shared = await client.permissions.create({
    fileId: folder.data.id ?? '',
    requestBody: { type: 'user', role: 'reader', emailAddress: 'learner@example.org' },
    sendNotificationEmail: false,
    supportsAllDrives,
  });
  expect(shared.data).toMatchObject({ type: 'user', role: 'reader' });
});

describe('a shared drive', () => {
  test('is not seen without supportsAllDrives, and its items are not listed', async () => {
    const id = await newFolder('hidden');
    const seen = await google.json(`/drive/v3/files/${id}?supportsAllDrives=true`);
    const unseen = await google.json(`/drive/v3/files/${id}`);
    const child = await google.json('/drive/v3/files', asJson('POST', { name: 'x', parents: [id] }));
    const listed = await google.json(`/drive/v3/files?q=${encodeURIComponent("name = 'hidden'")}`);
    expect([seen.status, unseen.status, reasonOf(unseen.body), child.status]).toEqual([200, 404, 'notFound', 404]);
    expect(listed.body).toMatchObject({ files: [] });
  });

  test('is the only place where a service account can put a file', async () => {
    const { status, body } = await google.json(
      '/drive/v3/files?supportsAllDrives=true',
      asJson('POST', { name: 'mine' }),
    );
    expect([status, reasonOf(body)]).toEqual([403, 'storageQuotaExceeded']);
  });

  test('takes an id that was generated before, once', async () => {
    const { ids } = (await google.json('/drive/v3/files/generateIds?count=1')).body as { ids: string[] };
    const create = async (id: string | undefined) =>
      await google.json(
        '/drive/v3/files?supportsAllDrives=true',
        asJson('POST', { id, name: 'x', parents: [DRIVE_ID] }),
      );
    const [first, again, invented] = [await create(ids[0]), await create(ids[0]), await create('1invented')];
    expect([first.status, again.status, reasonOf(again.body), invented.status]).toEqual([200, 409, 'fileIdInUse', 400]);
  });

  test('lists in pages and forgets what was deleted, with all below it', async () => {
    const folder = await newFolder('pages');
    const create = async (name: string) =>
      await google.json('/drive/v3/files?supportsAllDrives=true', asJson('POST', { name, parents: [folder] }));
    for (const name of ['c', 'a', 'b']) await create(name);
    const list = async (more: string) => {
      const q = encodeURIComponent(`'${folder}' in parents`);
      const path = `/drive/v3/files?q=${q}&supportsAllDrives=true&includeItemsFromAllDrives=true&orderBy=name&pageSize=2`;
      return (await google.json(path + more)).body as { files: { name: string }[]; nextPageToken?: string };
    };
    const first = await list('');
    const second = await list(`&pageToken=${first.nextPageToken}`);
    expect([...first.files, ...second.files].map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(second.nextPageToken).toBeUndefined();
    const gone = await google.call(`/drive/v3/files/${folder}?supportsAllDrives=true`, { method: 'DELETE' });
    expect([gone.status, (await list('')).files]).toEqual([204, []]);
  });

  test('answers a search that it does not understand with 400, never with everything', async () => {
    const { status } = await google.json(`/drive/v3/files?q=${encodeURIComponent("nmae = 'x'")}`);
    expect(status).toBe(400);
  });
});

describe('permissions', () => {
  test('granting twice keeps one permission; deleting it twice is a 404', async () => {
    const id = await newFolder('granted');
    const path = `/drive/v3/files/${id}/permissions`;
    const grant = async (emailAddress: string) =>
      (
        await google.json(
          `${path}?supportsAllDrives=true&sendNotificationEmail=false`,
          asJson('POST', { type: 'user', role: 'reader', emailAddress }),
        )
      ).body as { id: string };
    const [first, again] = [await grant('one@example.org'), await grant('One@example.org')];
    expect(again.id).toBe(first.id);
    const { body } = await google.json(`${path}?supportsAllDrives=true&fields=permissions(id,emailAddress,role)`);
    const own = (body as { permissions: { id: string; role: string }[] }).permissions.filter(
      (each) => each.role === 'reader',
    );
    expect(own.map((each) => each.id)).toEqual([first.id]);
    const remove = async () =>
      (await google.call(`${path}/${first.id}?supportsAllDrives=true`, { method: 'DELETE' })).status;
    expect([await remove(), await remove()]).toEqual([204, 404]);
  });

  test('an address without a Google account is refused unless it may be told by mail', async () => {
    const path = `/drive/v3/files/${await newFolder('invited')}/permissions?supportsAllDrives=true`;
    const request = asJson('POST', { type: 'user', role: 'reader', emailAddress: 'a+no-google-account@example.org' });
    const quiet = await google.json(`${path}&sendNotificationEmail=false`, request);
    const loud = await google.json(path, request);
    expect([quiet.status, reasonOf(quiet.body), loud.status]).toEqual([400, 'invalidSharingRequest', 200]);
  });
});

describe('faults', () => {
  test('refuse so many requests in the shape of Google, then no more, and leave others alone', async () => {
    await google.call(
      '/sandbox/faults',
      asJson('POST', {
        match: { method: 'GET', path: '^/drive/v3/about' },
        status: 403,
        reason: 'userRateLimitExceeded',
        retryAfter: 7,
        skip: 1,
        times: 1,
      }),
    );
    const ask = async () => await google.call('/drive/v3/about?fields=user');
    const other = (await google.call('/drive/v3/drives')).status;
    const [first, second, third] = [await ask(), await ask(), await ask()];
    expect([other, first.status, second.status, third.status]).toEqual([200, 200, 403, 200]);
    expect([second.headers.get('Retry-After'), reasonOf(await second.json())]).toEqual(['7', 'userRateLimitExceeded']);
  });

  test('that make no sense are refused', async () => {
    const { status } = await google.json('/sandbox/faults', asJson('POST', { match: { path: '(' } }));
    expect(status).toBe(400);
  });
});

test('requests are counted by kind', async () => {
  await google.call('/sandbox/requests', { method: 'DELETE' });
  await newFolder('counted');
  const { body } = await google.json('/sandbox/requests');
  expect(body).toEqual({ kinds: { 'files.create': 1 }, statuses: { 200: 1 }, receivedBytes: 0 });
});
