import { z } from 'zod';
import { invalid } from './errors.ts';
import { FOLDER, type DriveFile, type NewFile, type Tree } from './tree.ts';

/** What Drive answers of a file where `fields` is not given. */
export const FILE_DEFAULT_FIELDS = 'kind,id,name,mimeType,driveId,teamDriveId';

const PROPERTIES_MAX = 30;
const PROPERTY_MAX_BYTES = 124;

const propertiesSchema = z
  .record(z.string(), z.string().nullable())
  .refine((all) => Object.keys(all).length <= PROPERTIES_MAX, `at most ${PROPERTIES_MAX} properties`)
  .refine(
    (all) =>
      Object.entries(all).every(
        ([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value ?? '') <= PROPERTY_MAX_BYTES,
      ),
    `a property has at most ${PROPERTY_MAX_BYTES} bytes`,
  );

/** Fields a caller may write; Drive ignores the read-only ones, and so do we. */
const metadataSchema = z.object({
  id: z.string().min(1).optional(),
  name: z.string().max(32_767).optional(),
  mimeType: z.string().max(255).optional(),
  parents: z.array(z.string()).optional(),
  appProperties: propertiesSchema.optional(),
  description: z.string().optional(),
  copyRequiresWriterPermission: z.boolean().optional(),
  trashed: z.boolean().optional(),
  modifiedTime: z.iso.datetime({ offset: true }).optional(),
  createdTime: z.iso.datetime({ offset: true }).optional(),
});
export type Metadata = z.infer<typeof metadataSchema>;

/** Throws GoogleError 400 for metadata Drive would refuse. `undefined` (no body) is empty metadata. */
export function readMetadata(body: unknown): Metadata {
  const parsed = metadataSchema.safeParse(body ?? {});
  if (!parsed.success) throw invalid(`Invalid Value: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

const withoutNulls = (properties: Metadata['appProperties']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(properties ?? {}).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const])),
  );

/** Drive keeps milliseconds and writes UTC. */
const inUtc = (time: string): string => new Date(time).toISOString();

export const newFileOf = (metadata: Metadata, mimeType: string): NewFile => ({
  ...(metadata.id === undefined ? {} : { id: metadata.id }),
  name: metadata.name ?? 'Untitled',
  mimeType: metadata.mimeType ?? mimeType,
  parents: metadata.parents ?? [],
  appProperties: withoutNulls(metadata.appProperties),
  ...(metadata.description === undefined ? {} : { description: metadata.description }),
  ...(metadata.modifiedTime === undefined ? {} : { modifiedTime: inUtc(metadata.modifiedTime) }),
  ...(metadata.createdTime === undefined ? {} : { createdTime: inUtc(metadata.createdTime) }),
});

/** Applies an update in place; an appProperty set to null goes away, the others stay. */
export function applyMetadata(file: DriveFile, change: Metadata): void {
  if (change.name !== undefined) file.name = change.name;
  if (change.mimeType !== undefined) file.mimeType = change.mimeType;
  if (change.description !== undefined) file.description = change.description;
  if (change.trashed !== undefined) file.trashed = change.trashed;
  if (change.copyRequiresWriterPermission !== undefined)
    file.copyRequiresWriterPermission = change.copyRequiresWriterPermission;
  for (const [key, value] of Object.entries(change.appProperties ?? {}))
    if (value === null) delete file.appProperties[key];
    else file.appProperties[key] = value;
  file.modifiedTime = change.modifiedTime === undefined ? new Date().toISOString() : inUtc(change.modifiedTime);
  file.version += 1;
}

/** The file as Drive writes it in JSON: 64-bit numbers are strings. */
export function resourceOf(file: DriveFile, { driveId }: Pick<Tree, 'driveId'>): object {
  const { content, permissions, version, ...plain } = file;
  const isFolder = file.mimeType === FOLDER;
  return {
    kind: 'drive#file',
    ...plain,
    version: String(version),
    driveId,
    teamDriveId: driveId,
    webViewLink: isFolder
      ? `https://drive.google.com/drive/folders/${file.id}`
      : `https://drive.google.com/file/d/${file.id}/view?usp=drivesdk`,
    permissionIds: [...permissions.keys()],
    ownedByMe: false,
    ...(content && {
      size: String(content.size),
      sha256Checksum: content.sha256Checksum,
      md5Checksum: content.md5Checksum,
      originalFilename: file.name,
    }),
  };
}
