import { maybeOne, type Database } from './pool.ts';

export const attemptExists = async (db: Database, id: string): Promise<boolean> =>
  (await maybeOne(db, 'SELECT FROM attempts WHERE id = $1::uuid', [id])) !== undefined;
