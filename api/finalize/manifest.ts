import { finalizeSchema, type DeliveredFile, type FinalizeBody } from '../../job-image/contract/signed-call.ts';
import { fieldErrors, Problem, type FieldError } from '../problem.ts';

const ERRORS_SHOWN_MAX = 20;
const CONTROL = /\p{Cc}/u;

function pathFault(path: string): string | undefined {
  if (!path.isWellFormed() || CONTROL.test(path)) return 'holds characters that no path has';
  if (path.normalize('NFC') !== path) return 'is not in NFC';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'is not a plain relative path';
  return undefined;
}

function fileErrors(files: readonly DeliveredFile[]): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [n, { path, driveId }] of files.entries()) {
    const fault = pathFault(path) ?? (seen.has(path) ? 'stands there twice' : undefined);
    if (fault !== undefined) errors.push({ field: `files.${n}.path`, message: fault });
    if (!/^[\x21-\x7e]+$/.test(driveId)) errors.push({ field: `files.${n}.driveId`, message: 'is not a Drive id' });
    seen.add(path);
  }
  return errors.slice(0, ERRORS_SHOWN_MAX);
}

/** A signed body as the manifest of this attempt. Throws `manifest_invalid` with the fields that are wrong. */
export function parseManifest(json: unknown, attemptId: string): FinalizeBody {
  const parsed = finalizeSchema.safeParse(json);
  if (!parsed.success) throw new Problem('manifest_invalid', undefined, { errors: fieldErrors(parsed.error.issues) });
  const errors = fileErrors(parsed.data.files);
  if (parsed.data.attemptId !== attemptId) errors.unshift({ field: 'attemptId', message: 'is another attempt' });
  if (!/^[\x21-\x7e]+$/.test(parsed.data.folderId)) errors.unshift({ field: 'folderId', message: 'is not a Drive id' });
  if (errors.length > 0) throw new Problem('manifest_invalid', undefined, { errors });
  return parsed.data;
}
