/** Writes docs/postman.json anew from the operations: `node script/postman.ts`. */
import { writeFileSync } from 'node:fs';
import { OPERATIONS } from '../api/contract/operations.ts';
import { postmanCollection } from '../api/contract/postman.ts';

const collection = postmanCollection(OPERATIONS, 'http://127.0.0.1:8080');
writeFileSync(new URL('../docs/postman.json', import.meta.url), `${JSON.stringify(collection, undefined, 2)}\n`);
