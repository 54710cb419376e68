import { describe, expect, test } from '@jest/globals';
import { makeStarter } from './starter.ts';

/** What waits is started one by one, when the test says so. */
function waiting(jobs: number) {
  const launches: PromiseWithResolvers<boolean>[] = [];
  let left = jobs;
  let most = 0;
  let open = 0;
  const startNext = async (): Promise<boolean> => {
    if (left === 0) return false;
    left -= 1;
    open += 1;
    most = Math.max(most, open);
    const launch = Promise.withResolvers<boolean>();
    launches.push(launch);
    return launch.promise.finally(() => (open -= 1));
  };
  return { startNext, launches, left: () => left, most: () => most };
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
const fail = (error: unknown): never => {
  throw error;
};

describe('the starter', () => {
  test('starts everything that waits after one call, and never more at once than the gate lets through', async () => {
    const jobs = waiting(10);
    const starter = makeStarter(jobs.startNext, 3, fail);
    for (let call = 0; call < 10; call += 1) void starter.start();
    for (let at = 0; at < 10; at += 1) {
      await settled();
      jobs.launches[at]?.resolve(true);
    }
    await settled();
    expect([jobs.left(), jobs.most()]).toEqual([0, 3]);
  });

  test('after one that could not start begins no other by itself, but for a call that came meanwhile', async () => {
    const jobs = waiting(5);
    const starter = makeStarter(jobs.startNext, 1, fail);
    void starter.start();
    jobs.launches[0]?.resolve(false);
    await settled();
    expect(jobs.left()).toBe(4);
    void starter.start();
    void starter.start();
    jobs.launches[1]?.resolve(false);
    await settled();
    expect(jobs.left()).toBe(2);
    jobs.launches[2]?.resolve(false);
    await settled();
    expect(jobs.left()).toBe(2);
  });

  test('begins nothing once it was stopped, and stop waits for what had begun', async () => {
    const jobs = waiting(3);
    const starter = makeStarter(jobs.startNext, 2, fail);
    void starter.start();
    let stopped = false;
    const stopping = starter.stop().then(() => (stopped = true));
    await settled();
    expect(stopped).toBe(false);
    jobs.launches[0]?.resolve(true);
    await stopping;
    await starter.start();
    expect(jobs.left()).toBe(2);
  });

  test('a failure reaches the caller, and one that nobody called for is told', async () => {
    const told: unknown[] = [];
    const broken = new Error('the database is away');
    let calls = 0;
    const startNext = (): Promise<boolean> => {
      calls += 1;
      return calls === 2 ? Promise.reject(broken) : Promise.resolve(true);
    };
    await makeStarter(startNext, 1, (error) => told.push(error)).start();
    await settled();
    expect(told).toEqual([broken]);
    calls = 1;
    await expect(makeStarter(startNext, 1, fail).start()).rejects.toBe(broken);
  });
});
