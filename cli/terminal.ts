import { InvalidArgumentError } from 'commander';
import type { Pool } from '../sql/pool.ts';
import type { ApiClient } from './api-client.ts';

/** What a command says: at once, or bit by bit. */
export type Said = Promise<string> | AsyncIterable<string>;

/** What commands need of the process they run in. */
export type Terminal = {
  print: (text: string) => void;
  /** Gives `work` the API, with the key of whoever is at work, and prints what it says. */
  overApi: (work: (api: ApiClient) => Said) => Promise<void>;
  /** Gives `work` the database and the name of whoever is at work, and prints what it says. */
  onPostgres: (work: (pool: Pool, person: string) => Said) => Promise<void>;
  /** Looks at this installation from here: what is set, and what is not. */
  doctor: () => Promise<{ text: (asJson: boolean) => string; failed: boolean }>;
  /** From now on Ctrl-C does not end the process but aborts this, once. */
  catchInterrupt: () => AbortSignal;
  /** The answer is printed, and it is not a good one: the process ends with 1. */
  fail: () => void;
};

export type Shown = { json?: true };
export const JOB: [string, string] = ['<job>', "a job's id or its order's code"];

export const wholeNumber =
  (max: number, min = 1) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^-?\d{1,15}$/.test(text) || value > max || value < min)
      throw new InvalidArgumentError(`is a number from ${min} to ${max}`);
    return value;
  };

const ROWS_MAX = 10_000;
/** How many rows of a list are wanted. */
export const LIMIT: [string, string, (text: string) => number, number] = [
  '--limit <n>',
  `at most so many (to ${ROWS_MAX})`,
  wholeNumber(ROWS_MAX),
  100,
];
export const inPath = encodeURIComponent;
