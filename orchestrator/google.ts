/**
 * Google on the orchestrator's side: short-lived Drive tokens for jobs, and sharing. The service account's key stays
 * here. Base URLs come from configuration so that the same code talks to Google or to a sandbox; google-auth-library
 * knows only its own token URL, which the interceptor below redirects.
 */
import { Agent } from 'node:https';
import { drive, type drive_v3 } from '@googleapis/drive';
import { JWT, OAuth2Client } from 'google-auth-library';
import { z } from 'zod';
import { acceptedAccounts, type ServiceAccount } from './service-accounts.ts';

const DRIVE_SCOPE = 'https://www.googleapis.com/auth/drive';
const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';
const TOKEN_SECONDS = 3_600;
/** How long our own calls share one token. */
const TOKEN_REUSED_MS = 50 * 60_000;
const CALL_LIMIT_MS = 30_000;
const FOLDER = 'application/vnd.google-apps.folder';
const LIST_PAGE = 1_000;
const LIST_PAGES_MAX = 50;

export type DriveFile = { id: string; size: number; sha256: string };

export type Google = {
  /** A new access token, good for about an hour. */
  mintToken: () => Promise<string>;
  /** Lets `email` read the folder; the permission's id. The same address again gives the same permission. */
  grantReader: (folderId: string, email: string) => Promise<string>;
  /** Whether this is the folder of this job: a folder with its mark, right below the configured parent. */
  isFolderOfJob: (folderId: string, jobId: string, parentId: string) => Promise<boolean>;
  /** The files that carry this job's mark, as Drive has them. */
  filesOfJob: (jobId: string) => Promise<DriveFile[]>;
};

type TokenSource = { oauthUrl: string; accounts: () => readonly ServiceAccount[]; nowSeconds: () => number };

/**
 * A new access token. The assertion's times are the database's, given by `nowSeconds`: Google refuses one from a host
 * whose clock is wrong.
 */
async function mintAs(account: ServiceAccount, { oauthUrl, nowSeconds }: TokenSource, agent: Agent): Promise<string> {
  const iat = Math.floor(nowSeconds());
  const jwt = new JWT({
    email: account.client_email,
    key: account.private_key,
    scopes: [DRIVE_SCOPE],
    additionalClaims: { iat, exp: iat + TOKEN_SECONDS },
  });
  jwt.transporter.interceptors.request.add({
    resolved: (options) => {
      if (String(options.url) === GOOGLE_TOKEN_URL) options.url = new URL(`${oauthUrl}/token`);
      return Promise.resolve(options);
    },
  });
  jwt.transporter.defaults = { ...jwt.transporter.defaults, agent };
  const { access_token: token } = await jwt.authorize();
  if (!token) throw new Error('Google answered without an access token');
  return token;
}

/** With the newest key that Google takes: it may not know a new one for a minute, or an old one any more. */
async function mint(source: TokenSource, agent: Agent): Promise<string> {
  let refusal: unknown = new Error('every key of the service account has ended');
  for (const account of acceptedAccounts(source.accounts(), new Date()))
    try {
      return await mintAs(account, source, agent);
    } catch (error) {
      refusal = error;
    }
  throw refusal;
}

async function* allFiles(client: drive_v3.Drive, q: string): AsyncGenerator<drive_v3.Schema$File> {
  let pageToken: string | undefined;
  for (let page = 0; page < LIST_PAGES_MAX; page += 1) {
    const { data } = await client.files.list({
      q,
      pageSize: LIST_PAGE,
      fields: 'nextPageToken, files(id, size, sha256Checksum, mimeType)',
      supportsAllDrives: true,
      includeItemsFromAllDrives: true,
      corpora: 'allDrives',
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    yield* data.files ?? [];
    if (!data.nextPageToken) return;
    pageToken = data.nextPageToken;
  }
  throw new Error(`more than ${LIST_PAGES_MAX} pages of files`);
}

export function makeGoogle(options: TokenSource & { apiUrl: string }): Google {
  // Many tokens a minute in a busy hour: a handshake for each costs more than signing it.
  const agent = new Agent({ keepAlive: true, timeout: CALL_LIMIT_MS });
  const auth = new OAuth2Client({ forceRefreshOnFailure: true });
  auth.refreshHandler = async () => ({
    access_token: await mint(options, agent),
    expiry_date: Date.now() + TOKEN_REUSED_MS,
  });
  const client = drive({ version: 'v3', auth, rootUrl: options.apiUrl, timeout: CALL_LIMIT_MS, agent });

  return {
    mintToken: () => mint(options, agent),
    grantReader: async (folderId, email) => {
      const { data: known } = await client.permissions.list({
        fileId: folderId,
        supportsAllDrives: true,
        pageSize: 100,
        fields: 'permissions(id, emailAddress, role)',
      });
      const already = known.permissions?.find((one) => one.emailAddress?.toLowerCase() === email.toLowerCase());
      if (already?.id) return already.id;
      const { data } = await client.permissions.create({
        fileId: folderId,
        supportsAllDrives: true,
        sendNotificationEmail: false,
        requestBody: { type: 'user', role: 'reader', emailAddress: email },
        fields: 'id',
      });
      if (!data.id) throw new Error('Drive answered without a permission id');
      return data.id;
    },
    isFolderOfJob: async (folderId, jobId, parentId) => {
      const { data } = await client.files.get({
        fileId: folderId,
        supportsAllDrives: true,
        fields: 'id, mimeType, appProperties, parents, trashed',
      });
      return (
        data.mimeType === FOLDER &&
        data.trashed !== true &&
        data.appProperties?.['ladingJob'] === jobId &&
        (data.parents ?? []).includes(parentId)
      );
    },
    filesOfJob: async (jobId) => {
      const files: DriveFile[] = [];
      for await (const file of allFiles(
        client,
        `appProperties has { key='ladingJob' and value='${jobId}' } and trashed = false`,
      ))
        if (file.id && file.mimeType !== FOLDER)
          files.push({ id: file.id, size: Number(file.size), sha256: file.sha256Checksum ?? '' });
      return files;
    },
  };
}

const PERMANENT_REASONS = new Set([
  'invalidSharingRequest',
  'shareOutNotPermittedForContent',
  'domainPolicy',
  'cannotShareTeamDriveWithNonPermittedUser',
  'insufficientFilePermissions',
  'appNotAuthorizedToFile',
  'notFound',
]);

const driveErrorSchema = z.object({
  response: z.object({
    data: z.object({ error: z.object({ errors: z.array(z.object({ reason: z.string() })).min(1) }) }),
  }),
});

/** Drive's own reason when it will not change by trying again; undefined for everything else. */
export function permanentDriveReason(error: unknown): string | undefined {
  const reason = driveErrorSchema.safeParse(error).data?.response.data.error.errors[0]?.reason;
  return reason !== undefined && PERMANENT_REASONS.has(reason) ? reason : undefined;
}
